"""A radiologist marks a real tumour, before and after the analysis; a PACS sends everything back."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from db import jobs, results
from db.session import installation_id
from dicom_out.association import Peer
from dicom_out.equipment import Device
from dicom_out.identity import Provenance
from dicom_out.outcome import Outcome
from dicom_out.scu import send_files
from dicom_out.stamp import stamp
from inference.findings import AlgorithmIdentity
from inference.volume import CtVolume, load
from tests.annotation_objects import AUTOMATIC, MANUAL, REJECTED, key_objects, segmentation, structure_set
from tests.nodes import Node, Pacs, recording_pacs, running_node, write_config

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.filterwarnings("ignore:The string:UserWarning"),  # highdicom, on the patient's name
]

Box = tuple[int, int, int, int]  # first row, row behind the last, first column, column behind the last


class Tumour:
    """The sharp series of a real study and the boxes around its tumour, by slice."""

    def __init__(self, case: Path) -> None:
        self.files = sorted((case / "B70f").iterdir())
        self.volume: CtVolume = load(self.files)
        headers = [dcmread(file, stop_before_pixels=True) for file in self.files]
        by_uid = {str(ds.SOPInstanceUID): ds for ds in headers}
        self.slices = [by_uid[uid] for uid in self.volume.sop_instance_uids]
        files = {path.stem: path for path in (case / "boxes").iterdir()}
        self.boxes: Mapping[int, Box] = {
            k: _box(files[uid]) for k, uid in enumerate(self.volume.sop_instance_uids) if uid in files
        }

    @property
    def boxed(self) -> list[str]:
        return [self.volume.sop_instance_uids[k] for k in sorted(self.boxes)]

    def segmentation(self, algorithm: hd.seg.SegmentAlgorithmTypeValues = MANUAL) -> Dataset:
        mask = np.zeros(self.volume.hu.shape, dtype=np.bool_)
        for k, (top, bottom, left, right) in self.boxes.items():
            mask[k, top:bottom, left:right] = True
        return segmentation(self.slices, [mask], algorithm=algorithm)

    def structure_set(self) -> Dataset:
        contours = [
            [
                self.volume.position_mm(k, y, x)
                for y, x in ((top, left), (top, right), (bottom, right), (bottom, left))
            ]
            for k, (top, bottom, left, right) in self.boxes.items()
        ]
        return structure_set(self.slices[0], [("Tumour", "GTV", contours)])


def _box(path: Path) -> Box:
    edges = {
        name: float(value) for name, value in re.findall(r"<([xy]m(?:in|ax))>([\d.]+)<", path.read_text())
    }
    top, bottom, left, right = (round(edges[name]) for name in ("ymin", "ymax", "xmin", "xmax"))
    return top, bottom, left, right


@pytest.fixture(scope="module")
def tumour(real_data: Path) -> Tumour:
    return Tumour(real_data / "chest" / "lung_dx_A0002")


def _write(folder: Path, *objects: Dataset) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{ds.SOPInstanceUID}.dcm" for ds in objects]
    for path, ds in zip(paths, objects, strict=True):
        ds.save_as(path, enforce_file_format=True)
    return paths


def _send(node: Node, files: list[Path]) -> None:
    answers = send_files(files, Peer("SEDAS", "127.0.0.1", node.port), calling_ae_title="PACS")
    assert {answer.outcome for answer in answers} == {Outcome.STORED}


def _scored(node: Node, generation: int) -> tuple[str, list[str]]:
    """The slice policy of a generation and the slices that it scored."""
    with node.sessions()() as session:
        (job,) = (job for job in jobs.every(session) if job.generation == generation)
        result = results.of_job(session, job)
        assert result is not None
        return result.slice_policy, [s.sop_instance_uid for s in result.slices]


def _ours(node: Node, tumour: Tumour, ds: Dataset) -> Dataset:
    with node.sessions()() as session:
        installation = installation_id(session)
    if "PixelData" in ds:
        ds["PixelData"].VR = "OB"
    provenance = Provenance(installation, 1, "0" * 64, datetime(2026, 11, 24, tzinfo=UTC), "0.1.0")
    stamp(ds, tumour.slices[0], provenance, [Device.of(AlgorithmIdentity("A classifier", "1", "a" * 64))])
    return ds


def test_marked_slices_are_scored_and_what_a_pacs_sends_back_is_not(tmp_path: Path, tumour: Tumour) -> None:
    with recording_pacs() as pacs, running_node(write_config(tmp_path / "node", pacs.port)) as node:
        three = tumour.slices[14:17]
        keys = _write(tmp_path / "keys", key_objects(three))
        _send(node, [*keys, *tumour.files])
        node.settled()
        assert _scored(node, 1) == ("annotated", [str(ds.SOPInstanceUID) for ds in three])

        contours = _write(tmp_path / "contours", tumour.structure_set())
        _send(node, contours)
        node.settled(count=2)
        assert _scored(node, 2) == ("annotated", tumour.boxed)

        report = tmp_path / "report.dcm"
        report.write_bytes(_report(pacs))
        _send(node, [report, *tumour.files[:5], *keys, *contours])
        assert len(node.settled(count=2)) == 2
        uncounted = _write(
            tmp_path / "uncounted",
            _ours(node, tumour, tumour.segmentation()),
            _ours(node, tumour, key_objects(tumour.slices[:3])),
            tumour.segmentation(AUTOMATIC),
            key_objects([tumour.segmentation()], REJECTED),
        )
        _send(node, uncounted)
        *_, last = node.settled(count=3)
        assert (last["state"], last["reason"]) == ("REJECTED", "nothing new to analyse since generation 2")


def _report(pacs: Pacs) -> bytes:
    contents = [content for content, *_ in pacs.received.values()]
    return next(c for c in contents if dcmread(BytesIO(c)).SOPClassUID == Comprehensive3DSRStorage)


def test_a_folder_with_a_segmentation_is_scored_where_it_lies(tmp_path: Path, tumour: Tumour) -> None:
    study = tmp_path / "study"
    study.mkdir()
    for file in tumour.files:
        shutil.copyfile(file, study / file.name)
    _write(study, tumour.segmentation())
    elsewhere = key_objects(tumour.slices[:2])
    elsewhere.StudyInstanceUID = "1.2.3"
    _write(study, elsewhere)
    command = [sys.executable, "-m", "node", "analyse", str(study), "--out", str(tmp_path / "out")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert ran.returncode == 0, ran.stderr
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["slice_policy"] == "annotated"
    assert [s["sop_instance_uid"] for s in result["slices"]] == tumour.boxed
    assert result["target"]["size_mm"] == pytest.approx(94.1, abs=0.5)
