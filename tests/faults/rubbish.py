"""What a network brings beside images: bytes that are no DICOM, halves of associations, objects that are none."""

import contextlib
import random
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association

from tests.faults.load import Target

REQUEST = b"\x01\x00"  # A-ASSOCIATE-RQ, PS3.8 9.3.2
PATIENCE_S = 10.0
DATA = b"\x04\x00"  # P-DATA-TF, PS3.8 9.3.5


def noise(port: int, rng: random.Random, _image: Path) -> None:
    """Bytes, and silence."""
    with socket.create_connection(("127.0.0.1", port), 5) as peer:
        peer.sendall(rng.randbytes(rng.randint(1, 20_000)))


def half_request(port: int, rng: random.Random, _image: Path) -> None:
    """An A-ASSOCIATE-RQ that promises more than comes."""
    with socket.create_connection(("127.0.0.1", port), 5) as peer:
        peer.sendall(REQUEST + rng.randint(100, 5000).to_bytes(4, "big") + rng.randbytes(60))
        peer.settimeout(rng.uniform(0.1, 2.0))
        peer.recv(100)


def broken_message(port: int, rng: random.Random, _image: Path) -> None:
    """A good association, and then a PDU of noise."""
    association = _associated(port)
    if not association.is_established:
        return
    length = rng.randint(6, 4000)
    connection = association.dul.socket
    if connection is not None and connection.socket is not None:
        connection.socket.sendall(DATA + length.to_bytes(4, "big") + rng.randbytes(length))
    association.abort()


def cut_object(port: int, rng: random.Random, image: Path) -> None:
    """The sender is gone in the middle of an object."""
    association = _associated(port)
    if not association.is_established:
        return
    cut = threading.Timer(rng.uniform(0.0, 0.02), association.abort)
    cut.start()
    with contextlib.suppress(RuntimeError):
        association.send_c_store(_of_nobody(image, rng))
    cut.join()


def wrong_uids(port: int, rng: random.Random, image: Path) -> None:
    """An object whose UIDs are none."""
    ds = _of_nobody(image, rng)
    for keyword in rng.sample(["StudyInstanceUID", "SeriesInstanceUID"], rng.randint(1, 2)):
        ds[keyword]._value = rng.choice(["../../etc", "1.2.x", "", "1" * 65, "2..3"])
    association = _associated(port)
    if not association.is_established:
        return
    with contextlib.suppress(RuntimeError, ValueError):
        association.send_c_store(ds)
    if association.is_established:
        association.release()


def _associated(port: int) -> Association:
    ae = AE("PACS")
    ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 5
    ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    return ae.associate("127.0.0.1", port, ae_title="SEDAS")


def _of_nobody(image: Path, rng: random.Random) -> Dataset:
    """Pixel data is missing, so that it is refused even where it arrives whole."""
    ds = dcmread(image)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID(f"2.25.{rng.getrandbits(100)}")
    ds.PixelData = ds.PixelData[:-2]
    return ds


KINDS: tuple[Callable[[int, random.Random, Path], None], ...] = (
    noise,
    half_request,
    broken_message,
    cut_object,
    wrong_uids,
)


def throw(target: Target, rng: random.Random, image: Path) -> None:
    """One piece at the node, which may be away; one that hangs is left hanging."""

    def piece() -> None:
        with contextlib.suppress(OSError, RuntimeError):
            rng.choice(KINDS)(target.port, rng, image)

    if target.port:
        thread = threading.Thread(target=piece, daemon=True)
        thread.start()
        thread.join(PATIENCE_S)
