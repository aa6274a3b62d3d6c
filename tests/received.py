"""Objects taken in without a network, as the listener takes them in."""

from collections.abc import Callable
from datetime import datetime
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from pydicom import dcmread

from config.settings import Storage
from db.session import Sessions
from node.identification import Identity
from node.identification import identify as identify_file
from node.receive import Arrival, Reception
from node.recorder import Recorder
from node.spool import SpoolFile


def written(content: bytes, folder: Path) -> SpoolFile:
    """A file with this content, on its way in."""
    file = SpoolFile(folder)
    file.write(content)
    return file


def identify(content: bytes) -> Identity:
    """Raises NotStorable."""
    with TemporaryDirectory() as folder:
        file = written(content, Path(folder))
        try:
            return identify_file(file, None)
        finally:
            file.drop()


def reception(folder: Path, sessions: Sessions, now: Callable[[], datetime]) -> Reception:
    """Into `folder`; what is refused is dropped."""
    return Reception(Storage(folder=folder), Recorder(sessions, now), lambda file, *_: file.drop(), now)


def take(content: bytes, into: Reception) -> str:
    """Take in one object from PACS; gives its SOP Instance UID."""
    identity = identify(content)
    into.receive(content, Arrival("PACS", identity.sop_class_uid, identity.sop_instance_uid))
    return identity.sop_instance_uid


def receive(content: bytes, arrival: Arrival, *, spool: Path, sessions: Sessions, now: datetime) -> Identity:
    """Take in one object; `spool` is the folder of that name below a node's."""
    return reception(spool.parent, sessions, lambda: now).receive(content, arrival)


def changed(content: bytes, **changes: object) -> bytes:
    """The DICOM file with these attributes; None takes one away."""
    ds = dcmread(BytesIO(content))
    for keyword, value in changes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.get("SOPInstanceUID", "1.2.3")
    buffer = BytesIO()
    ds.save_as(buffer)
    return buffer.getvalue()
