"""When a sender of the study last released its association."""

import sqlalchemy as sa
from alembic import op

from db.models import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("released_at", UtcDateTime(timezone=True), nullable=True))
