"""What was known of a study's completeness when it was decided."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("completeness", sa.Text(), nullable=False, server_default=""))
        jobs.add_column(sa.Column("missing", sa.Text(), nullable=False, server_default=""))
