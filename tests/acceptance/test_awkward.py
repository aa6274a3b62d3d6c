"""What is not ours to analyse gets its status or its reason, and the next study is analysed as if nothing had been."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_out.association import Peer
from dicom_out.outcome import Outcome
from dicom_out.scu import send_files
from tests.nodes import Node, recording_pacs, running_node, write_config

pytestmark = pytest.mark.realdata


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with recording_pacs() as pacs, running_node(write_config(tmp_path, pacs.port)) as node:
        yield node


def _send(node: Node, files: list[Path]) -> list[Outcome]:
    peer = Peer("SEDAS", "127.0.0.1", node.port)
    return [answer.outcome for answer in send_files(files, peer, calling_ae_title="PACS")]


def test_awkward_studies_end_with_their_reason_and_the_next_one_is_analysed(
    node: Node, tmp_path: Path, real_data: Path, phantom_study: list[Path]
) -> None:
    awkward = real_data / "awkward"
    truncated = tmp_path / "truncated.dcm"
    _truncate(phantom_study[0], truncated)
    rejected = {
        "head": (sorted((awkward / "gantry_tilt").iterdir()), "not a chest: it says BRAIN"),
        "scout": ([awkward / "localizer" / "philips_surview_phantom.dcm"], "its image type says LOCALIZER"),
        "enhanced": ([awkward / "enhanced" / "eCT_Supplemental.dcm"], "Enhanced CT Image Storage"),
        "three slices": (_as_another_study(phantom_study[:3], tmp_path), "3 slices, at least 12"),
    }
    for files, _ in rejected.values():
        assert set(_send(node, files)) == {Outcome.STORED}
    refused = {
        "dose screen": awkward / "dose_sc" / "philips_dose_info_sc.dcm",
        "undecodable": next((awkward / "transfer_syntax").glob("*_1.2.840.10008.1.2.4.53.dcm")),
        "truncated": truncated,
    }
    for name, file in refused.items():
        expected = Outcome.CLASS_REFUSED if name == "dose screen" else Outcome.REFUSED
        assert _send(node, [file]) == [expected], name
    assert set(_send(node, phantom_study)) == {Outcome.STORED}

    *others, last = node.settled(count=len(rejected) + 1)
    assert last["state"] == "DONE"
    assert {job["state"] for job in others} == {"REJECTED"}
    for _, reason in rejected.values():
        assert sum(reason in job["reason"] for job in others) == 1, reason


def _as_another_study(files: list[Path], folder: Path) -> list[Path]:
    moved = []
    for file in files:
        ds = dcmread(file)
        ds.StudyInstanceUID += ".1"
        ds.SeriesInstanceUID += ".1"
        ds.SOPInstanceUID += ".1"
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        moved.append(folder / file.name)
        ds.save_as(moved[-1])
    return moved


def _truncate(file: Path, to: Path) -> None:
    """The object with half of its pixel data, as a broken modality would send it."""
    ds = dcmread(file)
    ds.SOPInstanceUID += ".2"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.PixelData = ds.PixelData[: len(ds.PixelData) // 2]
    ds.save_as(to)
