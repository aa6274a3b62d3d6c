"""Annotations before, with and after the CT: from received objects to the slices that are scored."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from config.settings import Settings
from db import audit, instances, jobs, results
from db.models import Job, Result
from db.session import Sessions, installation_id
from db.states import Event, State
from dicom_out import codes
from dicom_out.equipment import Device
from dicom_out.identity import Provenance, device_uid
from dicom_out.stamp import stamp
from inference.analyse import InProcess
from inference.findings import AlgorithmIdentity
from node import app
from node.intake import consider_studies
from node.receive import Arrival
from node.worker import Worker
from tests.annotation_objects import (
    AUTOMATIC,
    LUNG,
    REJECTED,
    Case,
    case,
    key_objects,
    segmentation,
)
from tests.databases import ON_SQLITE, opened
from tests.models import QUICK, QUICK_SETTINGS
from tests.received import identify, receive

pytestmark = ON_SQLITE

NOTHING_NEW = "nothing new to analyse since generation 1"


@pytest.fixture(scope="module")
def chest(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return case(tmp_path_factory.mktemp("chest"))


@pytest.fixture(scope="module")
def models() -> InProcess:
    return app.in_process(QUICK_SETTINGS)


class Site:
    """A node on SQLite whose clock moves on with everything that happens."""

    def __init__(self, sessions: Sessions, settings: Settings, now: datetime) -> None:
        self.sessions, self.settings, self.now = sessions, settings, now

    def receives(self, *objects: Dataset | Path) -> None:
        for content in map(_content, objects):
            identity = identify(content)
            arrival = Arrival("PACS", identity.sop_class_uid, identity.sop_instance_uid)
            spool = self.settings.storage.spool
            receive(content, arrival, spool=spool, sessions=self.sessions, now=self.now)

    def considers(self) -> list[Job]:
        self.now += timedelta(seconds=2)
        consider_studies(self.sessions, self.settings, model_thickness_mm=5.0, now=self.now)
        return self.jobs()

    def analyses(self, models: InProcess) -> list[Job]:
        self.considers()
        Worker("w", self.sessions, models, self.settings, lambda: self.now).work_once()
        return self.jobs()

    def jobs(self) -> list[Job]:
        with self.sessions() as session:
            return list(jobs.every(session))

    def inputs(self, job: Job) -> set[str]:
        with self.sessions() as session:
            return {i.sop_instance_uid for i in jobs.inputs(session, job)}

    def result(self, job: Job) -> Result:
        with self.sessions() as session:
            found = results.of_job(session, job)
            assert found is not None
            _ = found.slices, found.input_quality
            return found

    def report(self, job: Job) -> Dataset:
        with self.sessions() as session:
            found = results.of_job(session, job)
            assert found is not None
            return dcmread(self.settings.storage.outbox / found.objects[-1].path)

    def said(self, event: str) -> list[str]:
        with self.sessions() as session:
            return [e.detail for e in audit.trail(session) if e.event == event]


def _content(given: Dataset | Path) -> bytes:
    if isinstance(given, Path):
        return given.read_bytes()
    buffer = BytesIO()
    given.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@pytest.fixture
def rules(settings: Settings) -> Settings:
    """The slices of this chest are far apart, so that the tests are quick."""
    return settings.model_copy(
        update={"eligibility": settings.eligibility.model_copy(update={"maximum_slice_thickness_mm": 20.0})}
    )


@pytest.fixture
def site(sessions: Sessions, rules: Settings, now: datetime) -> Site:
    return Site(sessions, rules, now)


def scored(result: Result) -> list[str]:
    return [s.sop_instance_uid for s in result.slices]


def uids(slices: Iterable[Dataset]) -> list[str]:
    return [str(ds.SOPInstanceUID) for ds in slices]


@pytest.mark.parametrize("first", ["annotation", "images"])
def test_an_annotation_before_or_with_the_images_is_an_input_of_their_job(
    chest: Case, site: Site, first: str
) -> None:
    keys = key_objects(chest.slices[8:10])
    if first == "annotation":
        site.receives(keys)
        assert site.considers() == []  # no job stands in the way of the images
        site.receives(*chest.files)
    else:
        site.receives(*chest.files, keys)
    (job,) = site.considers()
    assert (job.state, job.generation) == (State.QUEUED, 1)
    assert site.inputs(job) == {*uids(chest.slices), str(keys.SOPInstanceUID)}


def test_the_slices_of_a_key_object_selection_are_scored_and_no_others(
    chest: Case, site: Site, models: InProcess
) -> None:
    chosen = chest.slices[8:11]
    site.receives(*chest.files, key_objects(chosen))
    (job,) = site.analyses(models)
    result = site.result(job)
    assert (job.state, result.slice_policy) == (State.DONE, "annotated")
    assert scored(result) == uids(chosen)


def test_an_annotation_after_a_finished_analysis_opens_a_generation_with_other_objects(
    chest: Case, site: Site, models: InProcess
) -> None:
    site.receives(*chest.files)
    (first,) = site.analyses(models)
    assert site.result(first).slice_policy != "annotated"
    site.receives(segmentation(chest.slices, [chest.lesion]))
    first, second = site.analyses(models)
    assert (first.state, second.state, second.generation) == (State.DONE, State.DONE, 2)
    assert site.result(second).slice_policy == "annotated"
    assert scored(site.result(second)) == uids(chest.slices[k] for k in chest.shown)
    assert site.result(first).digest != site.result(second).digest


def test_a_later_report_names_the_one_before_if_that_was_sent_and_what_marked_the_target(
    chest: Case, models: InProcess, sessions: Sessions, rules: Settings, now: datetime
) -> None:
    there = {"destinations": [{"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": 104}]}
    site = Site(sessions, Settings.model_validate(rules.model_dump() | {"delivery": there}), now)
    site.receives(*chest.files)
    site.analyses(models)
    marked = segmentation(chest.slices, [chest.lesion])
    site.receives(marked)
    first, second = (site.report(job) for job in site.analyses(models))
    earlier = second.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    assert earlier.SeriesInstanceUID == first.SeriesInstanceUID
    assert earlier.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert "PredecessorDocumentsSequence" not in first
    assert selected_by(second) == [marked.SOPInstanceUID]
    assert selected_by(first) == []


def test_a_report_that_never_left_is_no_predecessor(chest: Case, site: Site, models: InProcess) -> None:
    site.receives(*chest.files)
    site.analyses(models)
    site.receives(key_objects(chest.slices[8:10]))
    _, second = site.analyses(models)
    assert "PredecessorDocumentsSequence" not in site.report(second)


def selected_by(report: Dataset) -> list[str]:
    """The SOP Instance UIDs that the patient's group names so."""
    measurements = next(item for item in report.ContentSequence if item.ValueType == "CONTAINER")
    return [
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for item in measurements.ContentSequence[0].ContentSequence
        if item.ConceptNameCodeSequence[0].CodeValue == codes.SELECTED_BY.value
    ]


def ours(chest: Case, sessions: Sessions, ds: Dataset) -> Dataset:
    """An annotation stamped as this node's own, under a UID that its database does not know."""
    with sessions() as session:
        installation = installation_id(session)
    provenance = Provenance(
        installation, 1, "0" * 64, datetime.fromisoformat("2026-11-24T09:30:00Z"), "0.1.0"
    )
    if "PixelData" in ds:
        ds["PixelData"].VR = "OB"
    stamp(ds, chest.slices[0], provenance, [Device.of(AlgorithmIdentity("A classifier", "1", "a" * 64))])
    return ds


def test_what_does_not_count_selects_nothing_and_is_analysed_no_second_time(
    chest: Case, site: Site, models: InProcess, sessions: Sessions
) -> None:
    site.receives(*chest.files)
    (first,) = site.analyses(models)
    by_our_classifier = key_objects(chest.slices[8:10])
    by_our_classifier.DeviceUID = device_uid(models.models.classify.identity)
    sent_back = [
        ours(chest, sessions, segmentation(chest.slices, [chest.lesion])),
        ours(chest, sessions, key_objects(chest.slices[8:10])),
        by_our_classifier,
        segmentation(chest.slices, [chest.lesion], algorithm=AUTOMATIC),
        segmentation(chest.slices, [chest.lungs], [LUNG]),
        key_objects([segmentation(chest.slices, [chest.lesion])], REJECTED),
    ]
    for ds in sent_back:
        site.receives(ds)
        *_, last = site.analyses(models)
        assert (last.state, last.reason) == (State.REJECTED, NOTHING_NEW)
    assert site.jobs()[0].state is first.state is State.DONE
    said = "\n".join(site.said("annotation does not count"))
    for reason in ("a result of this product", "an algorithm made it", "is a lesion", "a rejection note"):
        assert reason in said


@pytest.mark.parametrize("algorithms", [False, True])
def test_the_nodes_own_segmentation_and_key_objects_select_nothing_here_or_elsewhere(
    chest: Case, sessions: Sessions, rules: Settings, now: datetime, tmp_path: Path, algorithms: bool
) -> None:
    making = Settings.model_validate(
        rules.model_dump()
        | {
            "results": {"segmentation": True, "key_objects": True},
            "inference": QUICK.model_dump() | {"algorithm_annotations": algorithms},
        }
    )
    site = Site(sessions, making, now)
    site.receives(*chest.files, segmentation(chest.slices, [chest.lesion]))
    (first,) = site.analyses(app.in_process(making))
    made = [dcmread(path) for path in making.storage.outbox.rglob("*.dcm")]
    further = [ds for ds in made if ds.Modality in ("SEG", "KO")]
    assert [s.SegmentLabel for ds in further if ds.Modality == "SEG" for s in ds.SegmentSequence] == [
        "Lungs",
        "Target, marked in the study",
    ]
    assert len(further) == 2
    site.receives(*further)
    assert [job.generation for job in site.considers()] == [1]  # known by their UIDs
    for ds in further:
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        site.receives(ds)
        *_, last = site.considers()
        assert (last.state, last.reason) == (State.REJECTED, NOTHING_NEW)
    assert first.state is State.DONE
    with opened(f"sqlite:///{tmp_path / 'elsewhere.sqlite'}") as others:
        elsewhere = Site(others, making, now)
        elsewhere.receives(*further, *chest.files)
        (job,) = elsewhere.considers()
        assert elsewhere.inputs(job) == set(uids(chest.slices))
        not_counting = elsewhere.said("annotation does not count")
        assert len([said for said in not_counting if "a result of this product" in said]) == 2


def test_an_algorithms_annotation_counts_where_the_site_says_so(
    chest: Case, site: Site, sessions: Sessions, rules: Settings, now: datetime
) -> None:
    trusting = Settings.model_validate(rules.model_dump() | {"inference": {"algorithm_annotations": True}})
    trusting_site = Site(sessions, trusting, now)
    made = segmentation(chest.slices, [chest.lesion], algorithm=AUTOMATIC)
    trusting_site.receives(*chest.files, made, ours(chest, sessions, key_objects(chest.slices[8:10])))
    (job,) = trusting_site.considers()
    assert site.inputs(job) == {*uids(chest.slices), str(made.SOPInstanceUID)}


def test_a_rejection_note_takes_images_and_annotations_away(chest: Case, site: Site) -> None:
    keys = key_objects(chest.slices[8:10])
    site.receives(*chest.files, keys, key_objects([*chest.slices[:2], keys], REJECTED))
    (job,) = site.considers()
    assert site.inputs(job) == set(uids(chest.slices[2:]))
    assert ["3 objects by rejection note" in detail for detail in site.said("objects withdrawn")] == [True]


def test_a_late_rejection_of_images_opens_a_generation_without_them(chest: Case, site: Site) -> None:
    site.receives(*chest.files)
    (first,) = site.considers()
    with site.sessions.begin() as session:
        jobs.claim(session, worker="w", lease=timedelta(seconds=60), now=site.now)
    site.receives(key_objects(chest.slices[:1], REJECTED))
    _, second = site.considers()
    assert second.state is State.QUEUED
    assert site.inputs(first) - site.inputs(second) == {str(chest.slices[0].SOPInstanceUID)}


def test_a_study_whose_images_are_all_rejected_is_rejected(chest: Case, site: Site) -> None:
    site.receives(*chest.files, key_objects(chest.slices, REJECTED))
    (job,) = site.considers()
    assert job.state is State.REJECTED
    assert job.reason == f"all {len(chest.slices)} images are withdrawn by a rejection note"


def test_an_annotation_of_another_patient_does_not_count(chest: Case, site: Site) -> None:
    keys = key_objects(chest.slices[8:10])
    keys.PatientID = "SOMEBODY ELSE"
    site.receives(*chest.files, keys)
    (job,) = site.considers()
    assert site.inputs(job) == set(uids(chest.slices))


def test_an_annotation_takes_a_queued_job_back(chest: Case, site: Site) -> None:
    site.receives(*chest.files)
    site.considers()
    keys = key_objects(chest.slices[8:10])
    site.receives(keys)
    (job,) = site.considers()
    assert (job.state, job.generation) == (State.QUEUED, 1)
    assert str(keys.SOPInstanceUID) in site.inputs(job)


def test_an_annotation_sent_twice_is_one(chest: Case, site: Site) -> None:
    keys = key_objects(chest.slices[8:10])
    site.receives(*chest.files, keys)
    site.considers()
    site.receives(keys)
    assert [job.state for job in site.considers()] == [State.QUEUED]
    with site.sessions() as session:
        stored = instances.of_study(session, str(keys.StudyInstanceUID))
    assert len(stored) == len(chest.files) + 1


def test_a_damaged_annotation_is_a_finding_and_the_search_decides(
    chest: Case, site: Site, models: InProcess
) -> None:
    damaged = segmentation(chest.slices, [chest.lesion])
    del damaged.PerFrameFunctionalGroupsSequence
    site.receives(*chest.files, damaged)
    (job,) = site.analyses(models)
    result = site.result(job)
    assert result.slice_policy != "annotated"
    refused = [q.text for q in result.input_quality if q.code == "annotation_refused"]
    assert refused == [f"Segmentation {damaged.SOPInstanceUID} was not used: it is damaged (AttributeError)."]


def test_a_held_result_gives_way_to_that_of_a_marked_study(
    chest: Case, sessions: Sessions, rules: Settings, models: InProcess, now: datetime
) -> None:
    held = {
        "release": {"when": "annotated"},
        "delivery": {"destinations": [{"name": "pacs", "ae_title": "P", "host": "127.0.0.1", "port": 104}]},
    }
    site = Site(sessions, Settings.model_validate(rules.model_dump() | held), now)
    site.receives(*chest.files)
    (first,) = site.analyses(models)
    assert first.state is State.HELD
    site.receives(key_objects(chest.slices[8:11]))
    first, second = site.analyses(models)
    assert (first.state, second.state) == (State.SUPERSEDED, State.DELIVERING)


def test_an_annotation_of_a_study_without_images_waits_without_a_job(chest: Case, site: Site) -> None:
    keys = key_objects(chest.slices[8:10])
    keys.StudyInstanceUID = generate_uid()
    site.receives(keys)
    assert site.considers() == []


def test_what_does_not_count_does_not_stop_an_analysis_that_it_overtook(chest: Case, site: Site) -> None:
    lease = timedelta(seconds=60)
    site.receives(*chest.files)
    site.considers()
    with site.sessions.begin() as session:
        first = jobs.claim(session, worker="w", lease=lease, now=site.now)
        assert first is not None
    site.receives(segmentation(chest.slices, [chest.lungs], [LUNG]))
    with site.sessions.begin() as session:
        jobs.advance(session, first, Event.ATTEMPT_FAILED, now=site.now)
        assert jobs.claim(session, worker="w", lease=lease, now=site.now) is None  # the second may bring news
    first, second = site.considers()
    assert (first.state, second.state) == (State.SUPERSEDED, State.QUEUED)
