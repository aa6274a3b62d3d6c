"""The audit chain: rows that name their study and carry HMACs, their head, triggers that keep them, and how far they are exported.

Rows that are there get no HMAC: the key is not in the database. The first row written with it seals them by a digest.
"""

import sqlalchemy as sa
from alembic import op

from db.models import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("audit") as audit:
        audit.alter_column("job_id", existing_type=sa.Integer(), nullable=True)
        audit.add_column(sa.Column("study_instance_uid", sa.Text(), nullable=True))
        audit.add_column(sa.Column("previous_hmac", sa.Text(), nullable=True))
        audit.add_column(sa.Column("hmac", sa.Text(), nullable=True))
        audit.create_index(audit.f("ix_audit_study_instance_uid"), ["study_instance_uid"])
    op.execute(
        "UPDATE audit SET study_instance_uid = (SELECT study_instance_uid FROM jobs WHERE jobs.id = audit.job_id)"
    )
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key_name", sa.Text(), nullable=False),
        sa.Column("row_id", sa.Integer(), nullable=False),
        sa.Column("newest_hmac", sa.Text(), nullable=False),
        sa.Column("head_hmac", sa.Text(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_audit_head_only_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.bulk_insert(head, [{"id": 1, "key_name": "", "row_id": 0, "newest_hmac": "", "head_hmac": ""}])
    export = op.create_table(
        "audit_export",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("row_id", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", UtcDateTime(timezone=True), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_audit_export_only_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_export")),
    )
    op.bulk_insert(export, [{"id": 1, "row_id": 0, "attempts": 0, "next_attempt_at": None}])
    for statement in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)


REFUSAL = "rows of the audit trail are never changed"
SQLITE = "CREATE TRIGGER audit_keeps_on_{0} BEFORE {0} ON audit BEGIN SELECT RAISE(ABORT, '{1}'); END"
FUNCTION = (
    "CREATE FUNCTION audit_keeps() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{0}'; END $$"
)
POSTGRESQL = (
    "CREATE TRIGGER audit_keeps_on_{0} BEFORE {0} ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_keeps()"
)
TRIGGERS = {
    "sqlite": [SQLITE.format(change, REFUSAL) for change in ("UPDATE", "DELETE")],
    "postgresql": [
        FUNCTION.format(REFUSAL),
        *(POSTGRESQL.format(change) for change in ("UPDATE", "DELETE", "TRUNCATE")),
    ],
}
"""A migration that copies the table must make them anew."""
