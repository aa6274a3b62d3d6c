"""Every durable step of the node, and what is durable after it: the rows of the kill matrix, in the order of a study's way."""

from collections.abc import Iterator
from dataclasses import dataclass

CALLS = (
    "after db.session:migrate",
    "before node.recorder:Recorder.record",
    "after node.recorder:Recorder._add",
    "before node.recorder:Recorder.revise",
    "after node.reconcile:_adopt",
    "before dicom_out.encode:write",
    "after dicom_out.scu:_send",
    "after dicom_out.destination:request_commitment",
    "after node.retention:_remove_files",
)
"""Calls that are steps although nothing becomes durable in them."""


@dataclass(frozen=True)
class Point:
    """A step (`tests/faults/knife.py` says how they are named) and the kills there, each in a new process."""

    name: str
    step: str
    durable: str
    passings: tuple[int, ...]  # kill at the third of the step in that process, then at …
    commitment: bool = False  # the PACS is asked to commit
    after: tuple[str, int] | None = None  # a kill before each: another step, and its passing
    analysis_s: float = 0.0  # how long the stand-in for the models takes
    receivers: int = 2  # processes that receive; with 1 the node itself
    revised: bool = False  # images are sent once more with another header
    retention: bool = False  # images go soon after their study is over

    def plan(self) -> Iterator[tuple[str, int]]:
        for passing in self.passings:
            if self.after is not None:
                yield self.after
            yield self.step, passing


OFTEN = (5, 17, 11)
SOMETIMES = (2, 4, 3)
ODD, EVEN = (1, 3, 1), (2, 4, 2)
CLAIMED = "commit node.worker:Worker.work_once"

POINTS = (
    Point("schema made", "after db.session:migrate",
          "the schema; nobody has begun the audit trail", (1, 1, 1)),
    Point("audit key written", "fsync node.audit_key:make_key",
          "the bytes of the key, then its name; no row is chained with it", (1, 2)),
    Point("audit trail begun", "commit node.app:_with_audit_key",
          "the first row of the chain", (1,)),
    Point("start noted", "commit node.app:_note_activity",
          "the row of the start; nobody listens yet", (1, 1, 1)),
    Point("folder made for images", "fsync node.receive:Incoming.__init__",
          "the folder in which images grow", (1,)),
    Point("object's bytes written", "fsync node.spool:_sync",
          "an object's bytes, without a name; no row", OFTEN),
    Point("image being written", "fsync node.receive:Incoming._keep",
          "an image's folder, or its name; no row", OFTEN),
    Point("image's file kept", "before node.recorder:Recorder.record",
          "the file under its name; no row", OFTEN),
    Point("first image's row committed", "commit node.recorder:Recorder._record",
          "file, row and the study's job; the sender has no answer", SOMETIMES),
    Point("image's row committed", "after node.recorder:Recorder._add",
          "file and row; the sender has no answer", OFTEN),
    Point("image acknowledged", "sent C-STORE-RSP",
          "the same, and the sender knows", OFTEN),
    Point("revised image's file kept", "before node.recorder:Recorder.revise",
          "the file under its name; the row has the former content", OFTEN, revised=True),
    Point("image revised", "commit node.recorder:Recorder.revise",
          "the row has the new content, a row beside it the former; the sender has no answer", OFTEN, revised=True),
    Point("file taken in at the start", "after node.reconcile:_adopt",
          "the row of a file that a kill had left without; nobody listens yet", (1, 1),
          after=("before node.recorder:Recorder.record", 5), receivers=1),
    Point("refused object being written", "fsync node.quarantine:put_aside",
          "its bytes or its name in quarantine; no row", SOMETIMES),
    Point("refused object's row committed", "commit node.quarantine:put_aside",
          "file and row in quarantine; the sender has no answer", SOMETIMES),
    Point("refusal counted", "commit node.receiving:receiving",
          "one more refusal of this status; the sender has no answer", SOMETIMES),
    Point("association's release noted", "commit node.receiving:note_released",
          "its instant with the jobs of its studies; the sender may have its answer", SOMETIMES),
    Point("study complete", "commit node.intake:_settle",
          "the job is QUEUED with its inputs", SOMETIMES),
    Point("job claimed", CLAIMED,
          "the job is RUNNING, its attempt counted", SOMETIMES),
    Point("lease renewed", "commit node.worker:Worker._kept_lease",
          "a later end of the lease", (1, 2, 1), analysis_s=0.9),
    Point("lease lost", "commit node.leases:expire_leases",
          "a job of a killed worker is QUEUED again", (1, 1), after=(CLAIMED, 3)),
    Point("analysis finished", "before dicom_out.encode:write",
          "nothing of the result", SOMETIMES),
    Point("result being written", "fsync dicom_out.encode:write",
          "some files of the outbox; no row", (2, 7, 5)),
    Point("result stored", "commit node.worker:Worker._store",
          "the job is DELIVERING, with its results and deliveries", SOMETIMES),
    Point("attempt counted", "commit node.outgoing:send_due",
          "the attempt; nothing was sent", ODD),
    Point("C-STORE sent", "sent C-STORE-RQ",
          "the same; the PACS may have the object", OFTEN),
    Point("C-STORE answered", "after dicom_out.scu:_send",
          "the same; the PACS has the object", OFTEN),
    Point("answers noted", "commit node.outgoing:send_due",
          "the deliveries as sent; the last one ends the job", EVEN),
    Point("commitment about to be asked", "commit node.commitments:ask_due",
          "the transaction; the PACS does not know it", SOMETIMES, commitment=True),
    Point("N-ACTION sent", "sent N-ACTION-RQ",
          "the same; the PACS may know it", SOMETIMES, commitment=True),
    Point("N-ACTION answered", "after dicom_out.destination:request_commitment",
          "the same; the PACS knows it", SOMETIMES, commitment=True),
    Point("N-EVENT-REPORT noted", "commit node.commitments:hear",
          "the deliveries as committed; the PACS has no answer", SOMETIMES, commitment=True),
    Point("N-EVENT-REPORT answered", "sent N-EVENT-REPORT-RSP",
          "the same, and the PACS knows", SOMETIMES, commitment=True),
    Point("images said to be deleted", "commit node.retention:_delete",
          "the rows say deleted; the files are there", SOMETIMES, revised=True, retention=True),
    Point("images' files removed", "after node.retention:_remove_files",
          "the rows say deleted; no files", SOMETIMES, revised=True, retention=True),
    Point("audit head written", "fsync node.audit_heads:export_head",
          "one more line in the file of heads", SOMETIMES),
)  # fmt: skip

WITHOUT_EFFECT = frozenset({"commit node.clock:mend_clock"})  # but after the clock was set back

COVERED = frozenset(point.step for point in POINTS) | frozenset(CALLS) | WITHOUT_EFFECT
