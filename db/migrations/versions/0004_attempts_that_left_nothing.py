"""Attempts to send that are known to have left nothing at the destination."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("futile", sa.Integer(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE deliveries SET futile = attempts WHERE requests = 0 AND attempts = 1 "
        "AND state IN ('parked', 'replaced') AND answer <> 'this destination is not configured'"
    )
