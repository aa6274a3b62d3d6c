"""What a report groups results by, the truth of studies, and the scores of a candidate model."""

import sqlalchemy as sa
from alembic import op

from db.models import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("results") as results:
        for column in ("sex", "acquired_month", "manufacturer", "scanner_model", "kernel", "site"):
            results.add_column(sa.Column(column, sa.Text(), nullable=True))
        results.add_column(sa.Column("age_years", sa.Integer(), nullable=True))
        results.add_column(sa.Column("slice_thickness_mm", sa.Double(), nullable=True))
    op.create_table(
        "truths",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("confirmed_by", sa.Text(), nullable=False),
        sa.Column("confirmed_on", sa.Text(), nullable=True),
        sa.Column("size_mm", sa.Double(), nullable=True),
        sa.Column("lobe", sa.Text(), nullable=True),
        sa.Column("hard", sa.Boolean(), nullable=True),
        sa.Column("imported_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("replaced_at", UtcDateTime(timezone=True), nullable=True),
        sa.CheckConstraint("label IN ('PIMA', 'IPN')", name=op.f("ck_truths_label")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_truths")),
    )
    op.create_index(
        "ix_truths_standing",
        "truths",
        ["study_instance_uid"],
        unique=True,
        sqlite_where=sa.text("replaced_at IS NULL"),
        postgresql_where=sa.text("replaced_at IS NULL"),
    )
    op.create_table(
        "candidate_scores",
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("classifier", sa.Text(), nullable=False),
        sa.Column("classifier_version", sa.Text(), nullable=False),
        sa.Column("classifier_digest", sa.Text(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(probability IS NULL) = (failure <> '')", name=op.f("ck_candidate_scores_number_or_failure")
        ),
        sa.CheckConstraint(
            "probability IS NULL OR probability BETWEEN 0 AND 1",
            name=op.f("ck_candidate_scores_probability"),
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["results.job_id"], name=op.f("fk_candidate_scores_job_id_results")
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_candidate_scores")),
    )
    op.create_index(
        "ix_candidate_scores_failed",
        "candidate_scores",
        ["job_id", "probability"],
        sqlite_where=sa.text("probability IS NULL"),
        postgresql_where=sa.text("probability IS NULL"),
    )
