"""Consistency, calibration and abstention; a target may have no place."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("results") as results:
        results.add_column(sa.Column("spread", sa.Double(), nullable=True))
        results.add_column(sa.Column("flip", sa.Double(), nullable=True))
        results.add_column(sa.Column("calibration", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("quality_findings") as findings:
        findings.add_column(sa.Column("abstained", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("targets") as targets:
        for column in ("x_mm", "y_mm", "z_mm", "size_mm"):
            targets.alter_column(column, existing_type=sa.Double(), nullable=True)
