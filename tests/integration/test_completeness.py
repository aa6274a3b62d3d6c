"""A study is begun when the archive says that it is whole, and never for want of an archive not at all."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from threading import enumerate as threads

import pytest
from pydicom import dcmread
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, SecondaryCaptureImageStorage
from pynetdicom import AE
from pynetdicom.association import Association

from config.settings import Archive as Rules
from config.settings import Settings
from db import audit, jobs
from db.models import Job
from db.session import Sessions
from db.states import State
from dicom_out.query import NoCounts
from inference.phantom import SOFT_KERNEL, Phantom, chest, write_study
from node import scp
from node.archive import Archive, asking
from node.intake import consider_studies
from node.reactor import Served
from node.receive import Arrival
from node.receiving import receiving
from node.status import StoreStatus
from tests.databases import ON_SQLITE
from tests.peers import free_port, orthanc, storescu, wait_for
from tests.query_archive import Held, QueryArchive, query_archive
from tests.received import identify, receive

QUIET_S, WAIT_S = 1000.0, 3000.0
PATIENT_ROOT_FIND = UID("1.2.840.10008.5.1.4.1.2.1.1")


def _phantom(**choices: object) -> Phantom:
    return chest(seed=3, lesion=None, pixels=64, pixel_mm=5.6, slice_mm=15.0, **choices)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def sharp(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_study(_phantom(), tmp_path_factory.mktemp("sharp"))


@pytest.fixture(scope="module")
def soft(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_study(_phantom(kernel=SOFT_KERNEL), tmp_path_factory.mktemp("soft"), series_number=3)


def _series(files: list[Path]) -> str:
    return identify(files[0].read_bytes()).series_instance_uid


class Site:
    """A node without listener and worker, whose clock stands where a test puts it."""

    def __init__(
        self, sessions: Sessions, settings: Settings, now: datetime, port: int, ae_title: str = "PACS"
    ) -> None:
        rules = Rules(ae_title=ae_title, host="127.0.0.1", port=port, timeout_s=1.0)
        completion = settings.completion.model_copy(
            update={"quiet_period_s": QUIET_S, "incomplete_wait_s": WAIT_S, "archive": rules}
        )
        eligibility = settings.eligibility.model_copy(update={"maximum_slice_thickness_mm": 20.0})
        self.settings = settings.model_copy(update={"completion": completion, "eligibility": eligibility})
        self.sessions, self.start = sessions, now
        self.ask = asking(self.settings)
        self.archive = Archive(self.ask)

    def receive(self, files: Iterable[Path], after_s: float = 0.0) -> None:
        for file in files:
            content = file.read_bytes()
            identity = identify(content)
            arrival = Arrival("PACS", identity.sop_class_uid, identity.sop_instance_uid)
            now = self.start + timedelta(seconds=after_s)
            receive(content, arrival, spool=self.settings.storage.spool, sessions=self.sessions, now=now)

    @contextmanager
    def association(self) -> Iterator[Association]:
        """Of a sender that ends it in the block; it is over for the node too when this returns."""
        self.settings.storage.folder.mkdir()
        with (
            scp.bound(self.settings.listener) as listener,
            receiving(self.settings, self.sessions, listener, lambda: self.start) as port,
        ):
            ae = AE(ae_title="PACS")
            ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
            yield ae.associate("127.0.0.1", port, ae_title="SEDAS")
            wait_for(lambda: not any(isinstance(t, Served) for t in threads()), "the association to end")

    def after(self, seconds: float) -> Job:
        """The job as it is once the node has looked at its studies then."""
        now = self.start + timedelta(seconds=seconds)
        consider_studies(self.sessions, self.settings, self.archive, model_thickness_mm=5.0, now=now)
        with self.sessions() as session:
            (job,) = jobs.every(session)
            return job


@pytest.fixture
def pacs() -> Iterator[QueryArchive]:
    with query_archive(QueryArchive()) as archive:
        yield archive


@pytest.fixture
def site(sessions: Sessions, settings: Settings, now: datetime, pacs: QueryArchive) -> Site:
    return Site(sessions, settings, now, pacs.port)


def test_a_study_that_the_archive_confirms_is_queued_at_once(
    site: Site, pacs: QueryArchive, sharp: list[Path]
) -> None:
    pacs.series = {_series(sharp): Held(len(sharp)), "1.9": Held(1, modality="SR")}
    site.receive(sharp)
    assert site.after(0.5).state is State.RECEIVING
    assert pacs.asked == []
    job = site.after(1.5)
    assert (job.state, job.completeness, job.missing) == (State.QUEUED, "complete", "")
    assert pacs.asked == ["SERIES"]
    with site.sessions() as session:
        assert [e.detail for e in audit.trail(session) if e.event == "completeness"] == ["complete"]


@pytest.mark.parametrize(("end", "state"), [("release", State.QUEUED), ("abort", State.RECEIVING)])
def test_a_sender_that_has_released_its_association_is_done(
    site: Site, pacs: QueryArchive, sharp: list[Path], end: str, state: State
) -> None:
    pacs.series = {_series(sharp): Held(len(sharp))}
    with site.association() as association:
        _send(association, sharp)
        getattr(association, end)()
    assert site.after(0.9).state is State.RECEIVING
    assert site.after(1).state is state
    assert site.after(1.5).state is State.QUEUED


def test_an_image_after_the_release_is_waited_for_again(
    site: Site, pacs: QueryArchive, sharp: list[Path]
) -> None:
    pacs.series = {_series(sharp): Held(len(sharp))}
    with site.association() as association:
        _send(association, sharp[:-1])
        association.release()
    site.receive(sharp[-1:], after_s=5)
    assert site.after(6).state is State.RECEIVING
    assert pacs.asked == []
    assert site.after(6.5).state is State.QUEUED


@ON_SQLITE
def test_a_release_is_answered_before_it_is_noted(site: Site, sharp: list[Path]) -> None:
    with site.association() as association:
        _send(association, sharp[:1])
        with site.sessions.begin() as session:
            session.connection()  # nobody else can write
            association.release()
            assert association.is_released
    assert site.after(0).released_at == site.start


def _send(association: Association, files: Iterable[Path]) -> None:
    for file in files:
        assert association.send_c_store(dcmread(file)).Status == StoreStatus.SUCCESS


def test_an_archive_that_gives_no_numbers_is_asked_image_by_image(
    site: Site, pacs: QueryArchive, sharp: list[Path]
) -> None:
    pacs.counts = False
    pacs.series = {_series(sharp): Held(len(sharp))}
    site.receive(sharp)
    assert site.after(1.5).state is State.QUEUED
    assert pacs.asked == ["SERIES", "IMAGE"]


def test_a_dose_screen_that_never_comes_holds_nothing_back(
    site: Site, pacs: QueryArchive, sharp: list[Path]
) -> None:
    screen = Held(1, sop_class_uid=SecondaryCaptureImageStorage)
    pacs.series = {_series(sharp): Held(len(sharp)), "1.501": screen}
    site.receive(sharp)
    assert site.after(1.5).completeness == "complete"


def test_a_soft_series_that_is_there_first_waits_for_the_sharp_one(
    site: Site, pacs: QueryArchive, soft: list[Path], sharp: list[Path]
) -> None:
    pacs.series = {_series(soft): Held(len(soft)), _series(sharp): Held(len(sharp))}
    site.receive(soft)
    assert site.after(100).state is State.RECEIVING
    site.receive(sharp, after_s=110)
    job = site.after(112)
    assert (job.state, job.series_instance_uid) == (State.QUEUED, _series(sharp))


def test_a_series_that_is_never_sent_is_waited_for_during_the_quiet_period(
    site: Site, pacs: QueryArchive, soft: list[Path]
) -> None:
    pacs.series = {_series(soft): Held(len(soft)), "1.7": Held(300)}
    site.receive(soft)
    assert site.after(QUIET_S - 1).state is State.RECEIVING
    job = site.after(QUIET_S)
    assert (job.state, job.completeness) == (State.QUEUED, "incomplete")
    assert job.missing == "study incomplete: series 1.7: 0 of 300 instances at the archive"


def test_an_incomplete_series_waits_and_then_says_what_is_missing(
    site: Site, pacs: QueryArchive, sharp: list[Path]
) -> None:
    pacs.series = {_series(sharp): Held(len(sharp))}
    site.receive(sharp[:-1])
    assert site.after(QUIET_S).state is State.RECEIVING
    assert site.after(WAIT_S - 1).state is State.RECEIVING
    job = site.after(WAIT_S)
    assert (job.state, job.completeness) == (State.QUEUED, "incomplete")
    assert f"{len(sharp) - 1} of {len(sharp)} instances at the archive" in job.missing


def test_a_gap_in_a_series_that_the_archive_confirms_waits_too(
    site: Site, pacs: QueryArchive, sharp: list[Path]
) -> None:
    pierced = [*sharp[:8], *sharp[9:]]
    pacs.series = {_series(sharp): Held(len(pierced))}
    site.receive(pierced)
    assert site.after(2).state is State.RECEIVING
    assert site.after(WAIT_S - 1).state is State.RECEIVING
    job = site.after(WAIT_S)
    assert (job.state, job.completeness) == (State.QUEUED, "incomplete")
    assert "1 slices are missing between" in job.missing


@pytest.mark.parametrize("series", [{}, {"mine": 3}], ids=["nothing", "three"])
def test_an_archive_that_has_less_than_we_confirms_nothing(
    site: Site, pacs: QueryArchive, sharp: list[Path], series: dict[str, int]
) -> None:
    pacs.series = {_series(sharp): Held(n) for n in series.values()}
    site.receive(sharp)
    assert site.after(QUIET_S - 1).state is State.RECEIVING
    job = site.after(QUIET_S)
    assert (job.state, job.completeness) == (State.QUEUED, "unconfirmed")
    assert f"{len(sharp)} instances here" in job.missing


@pytest.mark.parametrize(
    "archive",
    [
        QueryArchive(status=0xA700),
        QueryArchive(status=0xC001),
        QueryArchive(is_silent=True),
        QueryArchive(sop_class=PATIENT_ROOT_FIND),
    ],
    ids=["out of resources", "cannot process", "silent", "wrong SOP class"],
)
def test_an_archive_that_fails_leaves_it_to_the_quiet_period(
    archive: QueryArchive, sessions: Sessions, settings: Settings, now: datetime, sharp: list[Path]
) -> None:
    with query_archive(archive):
        _goes_by_the_quiet_period(Site(sessions, settings, now, archive.port), sharp)


def test_an_archive_that_is_away_leaves_it_to_the_quiet_period(
    sessions: Sessions, settings: Settings, now: datetime, sharp: list[Path]
) -> None:
    _goes_by_the_quiet_period(Site(sessions, settings, now, free_port()), sharp)


def _goes_by_the_quiet_period(site: Site, files: list[Path]) -> None:
    site.receive(files)
    assert site.after(2).state is State.RECEIVING
    job = site.after(QUIET_S)
    assert (job.state, job.completeness) == (State.QUEUED, "unconfirmed")
    assert job.missing == "study not confirmed as complete: the archive does not answer"


def test_an_archive_without_end_is_left(site: Site, pacs: QueryArchive) -> None:
    pacs.series, pacs.endless = {"1.7": Held(1)}, True
    assert site.ask is not None
    with pytest.raises(NoCounts, match=r"no end|no valid response"):
        site.ask("1.2", {})


def test_orthanc_as_the_archive(
    tmp_path: Path, sessions: Sessions, settings: Settings, now: datetime, sharp: list[Path]
) -> None:
    with orthanc(tmp_path / "orthanc") as peer:
        sent = storescu("-aec", "ORTHANC", "127.0.0.1", str(peer.dicom_port), *sharp)
        assert sent.returncode == 0, sent.stderr
        site = Site(sessions, settings, now, peer.dicom_port, "ORTHANC")
        site.receive(sharp[:-1])
        assert site.after(100).state is State.RECEIVING
        site.receive(sharp, after_s=110)
        job = site.after(112)
        assert (job.state, job.completeness) == (State.QUEUED, "complete")
