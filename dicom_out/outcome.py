"""What an answer of a peer means for what was sent: it is there, it is tried again, or somebody has to help."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydicom.dataset import Dataset


class Outcome(StrEnum):
    """What becomes of a file: it is there, it is worth another try, or a person or another SOP class has to help."""

    STORED = "stored"
    TRY_AGAIN = "try again"
    REFUSED = "refused"
    CLASS_REFUSED = "SOP class refused"


@dataclass(frozen=True)
class SendResult:
    """The answer to one file, or to one C-ECHO."""

    outcome: Outcome
    answer: str = ""  # in words, with the peer's Error Comment; empty for a plain success
    status: int | None = None  # (0000,0900), where the peer gave one
    path: Path | None = None
    unanswered: bool = False  # it went out, and no valid answer came: it may be there


def result_of(answer: Dataset, path: Path | None = None) -> SendResult:
    """What the response to a C-STORE or C-ECHO means; an empty one is a timeout, an abort or nonsense."""
    status = answer.get("Status")
    if status is None:
        return SendResult(Outcome.TRY_AGAIN, "no valid response", path=path, unanswered=True)
    if status == 0x0000:
        return SendResult(Outcome.STORED, status=status, path=path)
    comment = str(answer.get("ErrorComment") or "")
    words = f"status {status:04X}" + (f": {comment}" if comment else "")
    return SendResult(outcome_of(status), words, status, path)


def outcome_of(status: int) -> Outcome:
    """The table of PS3.4 B.2.3 and PS3.7 annex C: warnings are stored, lack of resources passes, the rest is final."""
    match status:
        case 0x0000 | 0x0001 | 0x0107 | 0x0116:
            return Outcome.STORED
        case 0x0111:  # duplicate SOP Instance: it is there since an attempt whose answer was lost
            return Outcome.STORED
        case _ if status >> 12 == 0xB:
            return Outcome.STORED
        case 0x0110 | 0x0210 | 0x0213:  # processing failure, duplicate message ID, resource limitation
            return Outcome.TRY_AGAIN
        case _ if status >> 8 == 0xA7:
            return Outcome.TRY_AGAIN
        case 0x0122:
            return Outcome.CLASS_REFUSED
        case _:
            return Outcome.REFUSED


def unreadable(path: Path) -> SendResult:
    return SendResult(Outcome.REFUSED, "the file is gone or is not DICOM", path=path)
