"""Objects that came again under another header, and what content a job analysed."""

import sqlalchemy as sa
from alembic import op

from db.models import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "former_revisions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("instance_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("calling_ae_title", sa.Text(), nullable=False),
        sa.Column("received_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("replaced_at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_id"], ["instances.id"], name=op.f("fk_former_revisions_instance_id_instances")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_former_revisions")),
    )
    op.create_index(op.f("ix_former_revisions_instance_id"), "former_revisions", ["instance_id"])
    with op.batch_alter_table("job_inputs") as table:
        table.add_column(sa.Column("sha256", sa.Text(), nullable=False, server_default=""))
    op.execute(
        "UPDATE job_inputs SET sha256 = (SELECT sha256 FROM instances WHERE instances.id = job_inputs.instance_id)"
    )
