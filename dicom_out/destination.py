"""Where results go: a PACS by C-STORE, or a folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydicom.filereader import read_file_meta_info

from dicom_out.association import Peer
from dicom_out.commitment import Item
from dicom_out.durable import write_durably
from dicom_out.outcome import Outcome, SendResult, unreadable
from dicom_out.scu import TIMEOUT_S, UNREADABLE, Hear, request_commitment, send_files


class Destination(Protocol):
    """Takes files; sending one again leaves a single object there."""

    def send(self, files: Sequence[Path]) -> list[SendResult]:
        """One answer for each file, in their order; a fault of the destination is an answer too."""
        ...


class Committer(Protocol):
    """Can be asked to commit to the safekeeping of what it was sent."""

    def request_commitment(
        self, items: Sequence[Item], transaction_uid: str, hear: Hear, *, stay_s: float
    ) -> SendResult:
        """Its answer to the request; its report is heard, now or on an association of its own."""
        ...


@dataclass(frozen=True)
class CStoreDestination:
    peer: Peer
    calling_ae_title: str = "SEDAS"
    timeout_s: float = TIMEOUT_S

    def send(self, files: Sequence[Path]) -> list[SendResult]:
        return list(
            send_files(files, self.peer, calling_ae_title=self.calling_ae_title, timeout_s=self.timeout_s)
        )

    def request_commitment(
        self, items: Sequence[Item], transaction_uid: str, hear: Hear, *, stay_s: float
    ) -> SendResult:
        return request_commitment(
            items,
            transaction_uid,
            self.peer,
            hear,
            calling_ae_title=self.calling_ae_title,
            timeout_s=self.timeout_s,
            stay_s=stay_s,
        )


@dataclass(frozen=True)
class FolderDestination:
    folder: Path

    def send(self, files: Sequence[Path]) -> list[SendResult]:
        return [self._copy(path) for path in files]

    def _copy(self, path: Path) -> SendResult:
        try:
            content = path.read_bytes()
            name = f"{read_file_meta_info(path).MediaStorageSOPInstanceUID}.dcm"
        except UNREADABLE:
            return unreadable(path)
        try:
            write_durably(content, self.folder / name)
        except OSError as error:
            return SendResult(Outcome.TRY_AGAIN, str(error), path=path)
        return SendResult(Outcome.STORED, path=path)
