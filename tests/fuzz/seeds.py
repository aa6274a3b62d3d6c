"""What honest programs send: the inputs that fuzzing begins with."""

import struct
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import highdicom as hd
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, MaximumLengthNotification, SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import build_context

from dicom_out.commitment import PUSH_MODEL
from inference.phantom import chest, write_study
from node.scp import VERIFICATION
from tests import annotation_objects

ECHO, STORE, REPORT = 0x0030, 0x0001, 0x0100  # Command Field (PS3.7 E.1)
RELEASE = b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00"
ABORT = b"\x07\x00\x00\x00\x00\x04\x00\x00\x00\x00"


def request(*, called: str = "SEDAS", calling: str = "PACS") -> bytes:
    """An A-ASSOCIATE-RQ for CT images (1), echoes (3) and reports of commitment (5)."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = UID("1.2.840.10008.3.1.1.1")
    primitive.calling_ae_title, primitive.called_ae_title = calling, called
    contexts = [
        build_context(uid, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
        for uid in (CTImageStorage, VERIFICATION, PUSH_MODEL)
    ]
    for number, context in enumerate(contexts):
        context.context_id = 2 * number + 1
    primitive.presentation_context_definition_list = contexts
    length = MaximumLengthNotification()
    length.maximum_length_received = 16384
    role = SCP_SCU_RoleSelectionNegotiation()
    role.sop_class_uid, role.scu_role, role.scp_role = PUSH_MODEL, False, True
    primitive.user_information = [length, role]
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(primitive)
    return bytes(pdu.encode())


def command(field: int, sop_class: str, *, has_data: bool, uid: str = "1.2.3") -> bytes:
    """A command set (PS3.7 6.3.1)."""
    elements = [
        (0x0002, _even(sop_class)), (0x0100, struct.pack("<H", field)), (0x0110, struct.pack("<H", 1)),
        (0x0700, struct.pack("<H", 0)), (0x0800, struct.pack("<H", 1 if has_data else 0x0101)),
        (0x1000, _even(uid)), (0x1002, struct.pack("<H", 1)),
    ]  # fmt: skip
    group = b"".join(struct.pack("<HHL", 0, element, len(value)) + value for element, value in elements)
    return struct.pack("<HHLL", 0, 0, 4, len(group)) + group


def _even(uid: str) -> bytes:
    return uid.encode() + b"\0" * (len(uid) % 2)


def pdata(*fragments: tuple[int, int, bytes]) -> bytes:
    """A P-DATA-TF: context id, control byte and content of each fragment (PS3.8 9.3.5, E.2)."""
    items = b"".join(
        (len(content) + 2).to_bytes(4, "big") + bytes([context, control]) + content
        for context, control, content in fragments
    )
    return b"\x04\x00" + len(items).to_bytes(4, "big") + items


def conversations() -> Iterator[bytes]:
    echo = pdata((3, 3, command(ECHO, VERIFICATION, has_data=False)))
    store = command(STORE, CTImageStorage, has_data=True)
    report = command(REPORT, PUSH_MODEL, has_data=True)
    event = data_set(_small(), is_implicit=False)[:60]
    yield request() + echo + RELEASE
    yield request() + pdata((1, 3, store)) + pdata((1, 0, event)) + pdata((1, 2, event)) + RELEASE
    yield request() + pdata((1, 1, store[:20])) + pdata((1, 3, store[20:]), (1, 2, event)) + echo + RELEASE
    yield request() + pdata((5, 3, report)) + pdata((5, 2, event)) + RELEASE
    yield request() + echo + pdata((1, 3, store), (1, 0, event)) + ABORT
    yield request(calling="STRANGER") + ABORT


def commands() -> Iterator[bytes]:
    yield command(ECHO, VERIFICATION, has_data=False)
    yield command(STORE, CTImageStorage, has_data=True)
    yield command(REPORT, PUSH_MODEL, has_data=True)


def pdus(stream: bytes) -> Iterator[bytes]:
    """One by one."""
    while stream:
        length = 6 + int.from_bytes(stream[2:6], "big")
        yield stream[:length]
        stream = stream[length:]


def data_set(ds: Dataset, *, is_implicit: bool) -> bytes:
    file = BytesIO()
    ds.save_as(file, implicit_vr=is_implicit, little_endian=True)
    return file.getvalue()


def _small() -> Dataset:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, "1.2.3"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3.4", "1.2.3.4.5"
    return ds


def slices(folder: Path) -> list[Path]:
    """Three CT images of 16 x 16 pixels."""
    phantom = chest(seed=2, lesion=None, pixels=16, pixel_mm=22.0, slice_mm=100.0)
    return write_study(phantom, folder)[:3]


def images(folder: Path) -> Iterator[bytes]:
    """One CT image in three transfer syntaxes."""
    ds = dcmread(slices(folder)[0])
    for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian):
        ds.file_meta.TransferSyntaxUID = syntax
        yield _file(ds)


def annotations(folder: Path) -> Iterator[bytes]:
    """One of each kind, about a chest of a few slices."""
    case = annotation_objects.case(folder, pixels=32, slice_mm=60.0)
    triangle = [(0.0, 0.0, 0.0), (10.0, 0.0, 0.0), (10.0, 10.0, 0.0)]
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=annotation_objects.tracked(),
        source_images=[hd.sr.SourceImageForMeasurementGroup.from_source_image(case.slices[0])],
    )
    yield _file(annotation_objects.key_objects(case.slices[:1]))
    yield _file(annotation_objects.segmentation(case.slices, [case.lesion]))
    yield _file(annotation_objects.structure_set(case.slices[0], [("Nodule", "GTV", [triangle])]))
    yield _file(annotation_objects.report(case.slices, [group]))


def _file(ds: Dataset) -> bytes:
    file = BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()
