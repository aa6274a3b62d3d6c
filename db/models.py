"""The tables. Constraints repeat the invariants, so that no code path can break them."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    Dialect,
    Enum,
    ForeignKey,
    Index,
    MetaData,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from db.states import State


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant, kept in UTC; SQLite would forget the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return value if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Words(TypeDecorator[str]):
    """Text; PostgreSQL keeps no NUL, which a peer may put into what it says."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return value if value is None else without_nul(value)


def without_nul(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {datetime: UtcDateTime, str: Words}


def _words(kind: type[StrEnum], column: str) -> Enum:
    """An enum as text with a CHECK named after its column, the same in SQLite and PostgreSQL."""
    return Enum(
        kind,
        native_enum=False,
        length=32,
        create_constraint=True,
        name=column,
        values_callable=lambda members: [m.value for m in members],
    )


class Installation(Base):
    """One row: who we are in every UID we derive."""

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str]


class Instance(Base):
    """One received object, on disk at `path` below the spool."""

    __tablename__ = "instances"
    __table_args__ = (
        Index(
            "ix_instances_on_disk",
            "study_instance_uid",
            "size_bytes",
            "deleted_at",  # always NULL here; without it SQLite would look into every row
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    sop_instance_uid: Mapped[str] = mapped_column(unique=True)
    sop_class_uid: Mapped[str]
    study_instance_uid: Mapped[str] = mapped_column(index=True)
    series_instance_uid: Mapped[str]
    sha256: Mapped[str]
    size_bytes: Mapped[int]
    path: Mapped[str] = mapped_column(unique=True)
    calling_ae_title: Mapped[str]
    received_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]  # when retention deleted its file, or the node found it missing


class Refusal(Base):
    """How often C-STORE was answered with that status; a count that only grows."""

    __tablename__ = "refusals"
    status: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    times: Mapped[int]


class FormerRevision(Base):
    """A content that an object had before it came again with the same pixels under another header."""

    __tablename__ = "former_revisions"
    id: Mapped[int] = mapped_column(primary_key=True)
    instance_id: Mapped[int] = mapped_column(ForeignKey("instances.id"), index=True)
    sha256: Mapped[str]
    size_bytes: Mapped[int]
    path: Mapped[str]
    calling_ae_title: Mapped[str]
    received_at: Mapped[datetime]
    replaced_at: Mapped[datetime]


class Quarantined(Base):
    """An object that was refused, its bytes in a file named by their digest; the UIDs are as the sender named them."""

    __tablename__ = "quarantine"
    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(unique=True)
    size_bytes: Mapped[int]
    sop_class_uid: Mapped[str]
    sop_instance_uid: Mapped[str]
    calling_ae_title: Mapped[str]
    reason: Mapped[str]
    times: Mapped[int]  # that it was sent
    received_at: Mapped[datetime]
    last_received_at: Mapped[datetime]


class Job(Base):
    """The analysis of one generation of one study."""

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("study_instance_uid", "generation"),
        CheckConstraint(
            "(state = 'RUNNING') = (lease_owner IS NOT NULL AND lease_until IS NOT NULL)",
            name="running_is_leased",
        ),
        CheckConstraint("state NOT IN ('REJECTED', 'FAILED') OR reason <> ''", name="refusal_has_reason"),
        CheckConstraint(
            "state NOT IN ('WITHDRAWING', 'WITHDRAWN') OR withdrawal IS NOT NULL",
            name="withdrawal_has_reason",
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    study_instance_uid: Mapped[str]
    generation: Mapped[int]
    state: Mapped[State] = mapped_column(_words(State, "state"), index=True)
    series_instance_uid: Mapped[str | None]  # the chosen one
    reason: Mapped[str] = mapped_column(default="")  # why REJECTED or FAILED, or what the last attempt met
    attempts: Mapped[int] = mapped_column(default=0)
    lease_owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    completeness: Mapped[str] = mapped_column(
        default="", server_default=""
    )  # the verdict when it was decided
    missing: Mapped[str] = mapped_column(default="", server_default="")  # what made it other than complete
    withdrawal: Mapped[str | None]  # why its results were withdrawn, once somebody asked for it
    not_before: Mapped[datetime | None]  # the next attempt waits until then
    released_at: Mapped[datetime | None]  # when a sender of the study last released its association
    created_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]  # when the study was found complete: the instant of its results
    changed_at: Mapped[datetime]


class JobInput(Base):
    """The images and annotations a job analyses, fixed when its study is complete."""

    __tablename__ = "job_inputs"
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    instance_id: Mapped[int] = mapped_column(ForeignKey("instances.id"), primary_key=True)
    sha256: Mapped[str] = mapped_column(default="", server_default="")  # of its content when it was chosen


class AuditEvent(Base):
    """What happened to a job, or to the node, in order; rows are only ever added, and triggers see to it."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # without gaps in the chain
    at: Mapped[datetime]
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"), index=True)
    study_instance_uid: Mapped[str | None] = mapped_column(index=True)
    event: Mapped[str]
    state_before: Mapped[State | None] = mapped_column(_words(State, "state_before"))
    state_after: Mapped[State | None] = mapped_column(_words(State, "state_after"))
    detail: Mapped[str]
    previous_hmac: Mapped[str | None]  # of the row before; empty in the first of the chain
    hmac: Mapped[str | None]  # hexadecimal; None in rows from before the chain


class AuditHead(Base):
    """One row: which audit row is the newest. Whoever appends locks it, last of all."""

    __tablename__ = "audit_head"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    key_name: Mapped[str]  # empty before the chain
    row_id: Mapped[int]
    newest_hmac: Mapped[str]  # that row's
    head_hmac: Mapped[str]  # over the two before


class AuditExport(Base):
    """One row: how far the trail has been sent to the audit record repository."""

    __tablename__ = "audit_export"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    row_id: Mapped[int]  # the last audit row that arrived there
    attempts: Mapped[int]  # without success since then
    next_attempt_at: Mapped[datetime | None]


class Result(Base):
    """What the analysis of one job found; written once, in the transaction that ends RUNNING."""

    __tablename__ = "results"
    __table_args__ = (
        CheckConstraint("(label IS NULL) = (probability IS NULL)", name="label_with_number"),
        CheckConstraint("probability IS NULL OR probability BETWEEN 0 AND 1", name="probability"),
    )
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    digest: Mapped[str]
    label: Mapped[str | None]
    probability: Mapped[float | None]
    spread: Mapped[float | None]  # standard deviation of the slices' probabilities
    flip: Mapped[float | None]  # shift of the probability under left-right mirroring
    calibration: Mapped[str] = mapped_column(
        default="", server_default=""
    )  # what was done to the mean; empty where nothing was
    threshold: Mapped[float]
    slice_policy: Mapped[str]
    lung_volume_ml: Mapped[float]
    classifier: Mapped[str]
    classifier_version: Mapped[str]
    classifier_digest: Mapped[str]
    segmenter: Mapped[str]
    segmenter_version: Mapped[str]
    segmenter_digest: Mapped[str]
    seconds: Mapped[float] = mapped_column(index=True)  # for the figures
    age_years: Mapped[int | None]  # 90: or older; this and the next seven say what the images say
    sex: Mapped[str | None]  # F, M or O
    acquired_month: Mapped[str | None]  # yyyy-mm
    manufacturer: Mapped[str | None]
    scanner_model: Mapped[str | None]
    kernel: Mapped[str | None]
    slice_thickness_mm: Mapped[float | None]
    site: Mapped[str | None]  # the institution that the images name
    targets: Mapped[list["FoundTarget"]] = relationship(order_by="FoundTarget.rank")
    slices: Mapped[list["SliceScore"]] = relationship(order_by="SliceScore.rank")
    input_quality: Mapped[list["QualityFinding"]] = relationship(order_by="QualityFinding.rank")
    objects: Mapped[list["ResultObject"]] = relationship(order_by="ResultObject.rank")
    candidate: Mapped["CandidateScore | None"] = relationship()


class CandidateScore(Base):
    """What a second model makes of the same study, beside the one whose result it is; it never leaves the node."""

    __tablename__ = "candidate_scores"
    __table_args__ = (
        Index(
            "ix_candidate_scores_failed",
            "job_id",
            "probability",  # always NULL here; without it SQLite would look into every row
            sqlite_where=text("probability IS NULL"),
            postgresql_where=text("probability IS NULL"),
        ),
        CheckConstraint("(probability IS NULL) = (failure <> '')", name="number_or_failure"),
        CheckConstraint("probability IS NULL OR probability BETWEEN 0 AND 1", name="probability"),
    )
    job_id: Mapped[int] = mapped_column(ForeignKey("results.job_id"), primary_key=True)
    classifier: Mapped[str]
    classifier_version: Mapped[str]
    classifier_digest: Mapped[str]
    threshold: Mapped[float]
    probability: Mapped[float | None]
    failure: Mapped[str]  # why there is no number; empty where there is one


class Truth(Base):
    """What a nodule turned out to be, as a person stated it; one of a study stands, and the replaced ones stay."""

    __tablename__ = "truths"
    __table_args__ = (
        CheckConstraint("label IN ('PIMA', 'IPN')", name="label"),
        Index(
            "ix_truths_standing",
            "study_instance_uid",
            unique=True,
            sqlite_where=text("replaced_at IS NULL"),
            postgresql_where=text("replaced_at IS NULL"),
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    study_instance_uid: Mapped[str]  # the study may come later
    label: Mapped[str]
    confirmed_by: Mapped[str]
    confirmed_on: Mapped[str | None]  # yyyy-mm-dd
    size_mm: Mapped[float | None]
    lobe: Mapped[str | None]
    hard: Mapped[bool | None]
    imported_at: Mapped[datetime]
    replaced_at: Mapped[datetime | None]  # when another took its place


class FoundTarget(Base):
    """A lesion; rank 0 is the one that was scored, the others are candidates."""

    __tablename__ = "targets"
    job_id: Mapped[int] = mapped_column(ForeignKey("results.job_id"), primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    x_mm: Mapped[float | None]  # an annotation may name slices and no place
    y_mm: Mapped[float | None]
    z_mm: Mapped[float | None]
    size_mm: Mapped[float | None]


class SliceScore(Base):
    __tablename__ = "slice_scores"
    job_id: Mapped[int] = mapped_column(ForeignKey("results.job_id"), primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)  # from feet to head
    sop_instance_uid: Mapped[str]
    instance_number: Mapped[int | None]
    probability: Mapped[float | None]


class QualityFinding(Base):
    __tablename__ = "quality_findings"
    job_id: Mapped[int] = mapped_column(ForeignKey("results.job_id"), primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str]
    text: Mapped[str]
    abstained: Mapped[bool] = mapped_column(
        default=False, server_default=false()
    )  # a reason to give no number


class ObjectRole(StrEnum):
    RESULT = "result"  # made with the analysis
    OTHER_CLASS = "other class"  # its report in a SOP class that a destination takes
    REJECTION = "rejection"  # a rejection note on its objects


class ResultObject(Base):
    """A DICOM object we made, on disk at `path` below the outbox."""

    __tablename__ = "result_objects"
    sop_instance_uid: Mapped[str] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("results.job_id"), index=True)
    role: Mapped[ObjectRole] = mapped_column(
        _words(ObjectRole, "role"), default=ObjectRole.RESULT, server_default=ObjectRole.RESULT.value
    )
    rank: Mapped[int]
    sop_class_uid: Mapped[str]
    path: Mapped[str]
    sha256: Mapped[str]


class DeliveryState(StrEnum):
    WAITING = "waiting"  # to be sent, or sent again, at `next_attempt_at`
    SENT = "sent"
    UNCONFIRMED = "unconfirmed"  # sent; the destination is asked at `next_attempt_at` to commit to it
    COMMITTED = "committed"
    REPLACED = "replaced"  # its SOP class was refused; another delivery takes the same content there
    PARKED = "parked"  # refused for good; `sedas-node retry` tries again
    CANCELLED = "cancelled"  # withdrawn before the destination was known to have it


class Delivery(Base):
    """One object on its way to one destination."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("job_id", "sop_instance_uid", "destination"),
        Index("ix_deliveries_due", "state", "next_attempt_at"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    sop_instance_uid: Mapped[str] = mapped_column(ForeignKey("result_objects.sop_instance_uid"))
    destination: Mapped[str]
    state: Mapped[DeliveryState] = mapped_column(_words(DeliveryState, "state"))
    opened_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)  # to send it, counted before the wire is touched
    futile: Mapped[int] = mapped_column(
        default=0, server_default="0"
    )  # of these, those known to have left nothing there
    requests: Mapped[int] = mapped_column(default=0, server_default="0")  # for commitment
    next_attempt_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    alarmed_at: Mapped[datetime | None]  # when it was first called overdue
    answer: Mapped[str] = mapped_column(default="")  # what the destination said last
    object: Mapped[ResultObject] = relationship()


class CommitmentState(StrEnum):
    ASKED = "asked"
    ANSWERED = "answered"
    UNANSWERED = "unanswered"  # not taken by the destination, or asked anew since; a late report still counts


class Commitment(Base):
    """One request to a destination to commit to the safekeeping of objects (PS3.4 annex J)."""

    __tablename__ = "commitments"
    transaction_uid: Mapped[str] = mapped_column(primary_key=True)
    destination: Mapped[str]
    state: Mapped[CommitmentState] = mapped_column(_words(CommitmentState, "state"), index=True)
    asked_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    answer: Mapped[str] = mapped_column(default="")


class CommitmentItem(Base):
    """An object that a commitment was asked for."""

    __tablename__ = "commitment_items"
    transaction_uid: Mapped[str] = mapped_column(ForeignKey("commitments.transaction_uid"), primary_key=True)
    delivery_id: Mapped[int] = mapped_column(ForeignKey("deliveries.id"), primary_key=True)
