"""What was tried between a node and a destination, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from config.settings import Destination, Settings
from db.session import Sessions
from dicom_out.association import Peer
from dicom_out.scu import Negotiated
from node.tls import own_listener, peer_of


class Verdict(StrEnum):
    FINE = "fine"
    NOTE = "note"  # works, and somebody should know
    WRONG = "wrong"


@dataclass(frozen=True)
class Step:
    name: str
    verdict: Verdict
    said: str
    took_s: float


@dataclass(frozen=True)
class Site:
    """The node and the destination that are commissioned with each other."""

    to: Destination
    settings: Settings
    sessions: Sessions
    now: Callable[[], datetime]

    @property
    def peer(self) -> Peer:
        return peer_of(self.to)

    @property
    def listener(self) -> Peer:
        """The node as it is reached from its own machine."""
        return own_listener(self.settings.listener)


@dataclass
class Record:
    """What was tried on one day between a node and a destination, and what came of it."""

    site: Site
    installation_id: str
    software_version: str
    started_at: datetime
    steps: list[Step] = field(default_factory=list)
    contexts: list[Negotiated] = field(default_factory=list)

    @property
    def is_fine(self) -> bool:
        return all(step.verdict is not Verdict.WRONG for step in self.steps)
