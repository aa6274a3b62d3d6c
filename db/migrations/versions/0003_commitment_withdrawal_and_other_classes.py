"""Storage commitment, withdrawal, and a report in another SOP class."""

from collections.abc import Mapping

import sqlalchemy as sa
from alembic import op

from db.models import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STATES = (
    "RECEIVING", "QUEUED", "RUNNING", "HELD", "DELIVERING", "COMMITTING", "DONE", "WITHDRAWING", "WITHDRAWN",
    "REJECTED", "FAILED", "SUPERSEDED",
)  # fmt: skip
DELIVERY_STATES = ("waiting", "sent", "unconfirmed", "committed", "replaced", "parked", "cancelled")
COMMITMENT_STATES = ("asked", "answered", "unanswered")
ROLES = ("result", "other class", "rejection")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("withdrawal", sa.Text(), nullable=True))
    _constrain(
        "jobs",
        replaced={"state": _one_of("state", STATES)},
        added={
            "withdrawal_has_reason": "state NOT IN ('WITHDRAWING', 'WITHDRAWN') OR withdrawal IS NOT NULL"
        },
    )
    _constrain(
        "audit", replaced={column: _one_of(column, STATES) for column in ("state_before", "state_after")}
    )
    op.add_column("result_objects", sa.Column("role", sa.String(32), nullable=False, server_default="result"))
    _constrain("result_objects", replaced={}, added={"role": _one_of("role", ROLES)})
    op.add_column("deliveries", sa.Column("opened_at", UtcDateTime(timezone=True), nullable=True))
    op.add_column("deliveries", sa.Column("alarmed_at", UtcDateTime(timezone=True), nullable=True))
    op.add_column("deliveries", sa.Column("requests", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("deliveries", sa.Column("futile", sa.Integer(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE deliveries SET futile = attempts WHERE attempts = 1 AND state = 'parked' "
        "AND answer <> 'this destination is not configured'"
    )
    op.execute(
        "UPDATE deliveries SET opened_at = COALESCE("
        "(SELECT completed_at FROM jobs WHERE jobs.id = deliveries.job_id), next_attempt_at)"
    )
    with op.batch_alter_table("deliveries") as table:
        table.alter_column("opened_at", existing_type=UtcDateTime(timezone=True), nullable=False)
    _constrain("deliveries", replaced={"state": _one_of("state", DELIVERY_STATES)})
    op.create_table(
        "commitments",
        sa.Column("transaction_uid", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("asked_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("answered_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("transaction_uid", name=op.f("pk_commitments")),
        sa.CheckConstraint(_one_of("state", COMMITMENT_STATES), name=op.f("ck_commitments_state")),
    )
    op.create_table(
        "commitment_items",
        sa.Column("transaction_uid", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["transaction_uid"],
            ["commitments.transaction_uid"],
            name=op.f("fk_commitment_items_transaction_uid"),
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_commitment_items_delivery_id")
        ),
        sa.PrimaryKeyConstraint("transaction_uid", "delivery_id", name=op.f("pk_commitment_items")),
    )


def _one_of(column: str, words: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(word) for word in words)})"


def _constrain(table: str, *, replaced: Mapping[str, str], added: Mapping[str, str] | None = None) -> None:
    """Set CHECK constraints by name."""
    with op.batch_alter_table(table) as changed:
        for name in replaced:
            changed.drop_constraint(op.f(f"ck_{table}_{name}"), type_="check")
        for name, rule in {**replaced, **(added or {})}.items():
            changed.create_check_constraint(op.f(f"ck_{table}_{name}"), sa.text(rule))
