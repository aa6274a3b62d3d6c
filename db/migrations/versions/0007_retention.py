"""Images whose files retention deleted, refusals counted, and indexes for the figures."""

import sqlalchemy as sa
from alembic import op

from db.models import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("instances", sa.Column("deleted_at", UtcDateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_instances_on_disk",
        "instances",
        ["study_instance_uid", "size_bytes", "deleted_at"],
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "refusals",
        sa.Column("status", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("status", name=op.f("pk_refusals")),
    )
    op.create_index(op.f("ix_results_seconds"), "results", ["seconds"])
    op.create_index(op.f("ix_commitments_state"), "commitments", ["state"])
