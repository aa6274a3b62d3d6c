"""What a validation is of: every study once, its newest standing result, and the figures counted another way."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]
from sqlalchemy import select as query

from config.settings import Settings
from db.models import CandidateScore, FoundTarget, Job, Result, SliceScore, Truth
from db.session import Sessions
from db.states import State
from inference.bundle import demonstration, load_bundle
from inference.evaluation.estimate import computed
from inference.evaluation.flow import Excluded, Group
from inference.evaluation.report import write_report
from inference.evaluation.results import results_of
from inference.evaluation.source import Source
from inference.evaluation.subject import Period, Sex
from node.research.selection import Asked, CannotValidate, Policy
from node.research.subgroup import BadSubgroup, condition
from node.research.validation import source_of
from tests.databases import ON_SQLITE
from tests.results import result

MODEL, OTHER, CANDIDATE = "a" * 64, "b" * 64, "c" * 64
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Site:
    """A database that is filled study by study."""

    sessions: Sessions
    _generations: dict[str, int] = field(default_factory=dict)

    def study(
        self,
        uid: str,
        probability: float | None = None,
        *,
        state: State = State.DONE,
        model: str | None = MODEL,
        day: int = 0,
        withdrawal: str | None = None,
        candidate: float | None = None,
        **facts: Any,
    ) -> None:
        """One more job of it; without a model it has no result."""
        generation = self._generations[uid] = self._generations.get(uid, 0) + 1
        at = START + timedelta(days=day)
        job = Job(
            study_instance_uid=uid, generation=generation, state=state, created_at=at, changed_at=at,
            reason="no lungs", withdrawal=withdrawal,
        )  # fmt: skip
        with self.sessions.begin() as session:
            session.add(job)
            session.flush()
            if model is not None:
                session.add(_result(job.id, model, probability, candidate, facts))

    def truth(self, uid: str, label: str, **facts: Any) -> None:
        with self.sessions.begin() as session:
            session.add(
                Truth(
                    study_instance_uid=uid,
                    label=label,
                    confirmed_by="histology",
                    imported_at=START,
                    **facts,
                )
            )

    def source(self, settings: Settings, **asked: Any) -> Source:
        return source_of(self.sessions, settings, Asked(**asked))


def _result(
    job: int, model: str, probability: float | None, candidate: float | None, facts: dict[str, Any]
) -> Result:
    row = result(job)
    row.classifier_digest, row.slice_policy, row.probability = model, "annotated", probability
    row.label = None if probability is None else "PIMA" if probability >= 0.5 else "IPN"
    for name, value in facts.items():
        setattr(row, name, value)
    if probability is not None:
        row.slices = [SliceScore(rank=0, sop_instance_uid="1.2.3", probability=probability)]
        row.targets = [FoundTarget(rank=0, size_mm=25.0), FoundTarget(rank=1, size_mm=9.0)]
    if candidate is not None:
        row.candidate = CandidateScore(
            classifier="second", classifier_version="2", classifier_digest=CANDIDATE, threshold=0.4,
            probability=candidate, failure="",
        )  # fmt: skip
    return row


@pytest.fixture
def site(sessions: Sessions) -> Site:
    return Site(sessions)


SCORES = (0.91, 0.72, 0.55, 0.41, 0.62, 0.33, 0.21, 0.12)
LABELS = ("PIMA", "PIMA", "IPN", "PIMA", "PIMA", "IPN", "IPN", "IPN")


def _fill(site: Site, scores: Sequence[float] = SCORES, **facts: Any) -> None:
    for number, (score, label) in enumerate(zip(scores, LABELS, strict=True)):
        site.study(f"1.{number}", score, **facts)
        site.truth(f"1.{number}", label)


def test_every_study_is_counted_once_for_the_first_reason_against_it(site: Site, settings: Settings) -> None:
    _fill(site)
    site.study("2.1", state=State.REJECTED, model=None)
    site.study("2.2", state=State.FAILED, model=None)
    site.study("2.3", state=State.RECEIVING, model=None)
    site.study("2.4", 0.5, withdrawal="quality", state=State.WITHDRAWN)
    site.study("2.5", 0.5, model=OTHER)
    site.study("2.6", 0.5, slice_policy="automatic")
    site.study("2.7", None)
    site.study("2.8", 0.5)
    site.study("2.9", None)
    site.truth("2.9", "PIMA")
    flow = site.source(settings, model="aaaa").flow
    assert flow is not None
    assert flow.screened == 17
    assert flow.excluded == (
        Excluded("refused as not analysable", 1),
        Excluded("analysis failed", 1),
        Excluded("result withdrawn", 1),
        Excluded("no result yet", 1),
        Excluded("result of another model only", 1),
        Excluded("slices not marked by a person", 1),
        Excluded("no number given, and truth not known", 1),
        Excluded("truth not known", 1),
    )
    assert flow.included == (Group("scored", 4, 4), Group("no number given", 1, 0))


def test_the_newest_result_that_stands_counts(site: Site, settings: Settings) -> None:
    _fill(site)
    site.study("1.0", 0.8)
    site.study("1.1", 0.1, withdrawal="quality", state=State.WITHDRAWN)
    site.study("1.2", 0.1, model=OTHER)
    site.study("1.3", state=State.REJECTED, model=None)
    by_name = {s.name: s.probability for s in site.source(settings, model=MODEL).subjects}
    assert [by_name[f"1.{n}"] for n in range(4)] == [0.8, 0.72, 0.55, 0.41]


@ON_SQLITE
def test_the_auc_is_that_of_scikit_learn_over_the_rows(site: Site, settings: Settings) -> None:
    _fill(site)
    found = computed(results_of(site.source(settings)).performance.auc).auc.value
    with site.sessions() as session:
        joined = query(Truth.label, Result.probability).join(
            Job, Job.study_instance_uid == Truth.study_instance_uid
        )
        rows = session.execute(joined.join(Result, Result.job_id == Job.id)).all()
    by_hand = roc_auc_score([label == "PIMA" for label, _ in rows], [score for _, score in rows])
    assert found == pytest.approx(by_hand, abs=1e-12)
    assert found == 15 / 16  # of 4 x 4 pairs only 0.41 and 0.55 are the wrong way round


@ON_SQLITE
def test_a_subject_has_what_the_rows_and_the_truth_say(site: Site, settings: Settings) -> None:
    _fill(site, acquired_month="2026-01")
    site.study(
        "3.1", 0.7, age_years=63, sex="F", acquired_month="2026-05", manufacturer="ACME", scanner_model="One",
        kernel="B70", slice_thickness_mm=5.0, site="There",
    )  # fmt: skip
    site.truth("3.1", "PIMA", size_mm=31.5, lobe="RUL", hard=True)
    subjects = {s.name: s for s in site.source(settings).subjects}
    one, plain = subjects["3.1"], subjects["1.0"]
    assert (one.positive, one.probability, one.slice_probabilities) == (True, 0.7, (0.7,))
    assert (one.age_years, one.sex, one.scanner, one.kernel) == (63, Sex.FEMALE, "ACME One", "B70")
    assert (one.size_mm, one.lobe, one.hard, one.site) == (31.5, "RUL", True, "There")
    assert (one.month, one.period, plain.period) == ("2026-05", Period.LATER, Period.EARLIER)
    assert (plain.size_mm, plain.sex, plain.scanner, plain.hard) == (25.0, None, "", None)


@ON_SQLITE
def test_automatic_slices_are_reported_apart(site: Site, settings: Settings) -> None:
    _fill(site)
    for number, label in enumerate(("PIMA", "IPN", "PIMA")):
        site.study(f"4.{number}", 0.9 - 0.3 * number, slice_policy="automatic")
        site.truth(f"4.{number}", label)
    for number in range(3, 6):
        site.study(f"4.{number}", None, slice_policy="automatic")
        site.truth(f"4.{number}", "PIMA")
    source = site.source(settings)
    assert len(source.subjects) == 8
    (apart,) = (s for s in source.further if s.heading.startswith("Slices"))
    assert apart.heading == "Slices as the node found them itself, unconfirmed"
    assert apart.tables[0].rows[0][1].startswith("0.500")
    assert apart.paragraphs[0].startswith("6 further studies (5 PIMA)")
    assert "3 of them (3 PIMA) have no number" in apart.paragraphs[0]
    assert len(site.source(settings, policy=Policy.AUTOMATIC).subjects) == 6
    assert len(site.source(settings, policy=Policy.ALL).subjects) == 14


@ON_SQLITE
def test_slices_are_read_as_the_bundle_calibrates_them_and_not_at_all_where_nobody_knows_how(
    site: Site, settings: Settings
) -> None:
    _fill(site, calibration="by logistic regression on 40 patients")
    assert site.source(settings).calibrated is None
    bundle = load_bundle(demonstration())
    for number, label in enumerate(LABELS):
        site.study(f"6.{number}", 0.5, model=bundle.digest)
        site.truth(f"6.{number}", label)
    read = site.source(settings, model=bundle.digest).calibrated
    assert read is not None
    assert read(0.3) == bundle.card.of_patient([0.3])


@ON_SQLITE
def test_a_period_is_of_the_days_on_which_studies_came(site: Site, settings: Settings) -> None:
    _fill(site)
    site.study("5.1", 0.7, day=40)
    site.truth("5.1", "PIMA")
    flow = site.source(settings, since=START + timedelta(days=1)).flow
    assert flow is not None
    assert (flow.screened, flow.included) == (1, (Group("scored", 1, 0),))
    assert len(site.source(settings, until=START + timedelta(days=40)).subjects) == 8


@ON_SQLITE
def test_a_subgroup_leaves_out_who_is_not_known_to_be_in_it(site: Site, settings: Settings) -> None:
    _fill(site)
    site.study("5.1", 0.7, sex="F", age_years=70)
    site.truth("5.1", "PIMA")
    source = site.source(settings, subgroup=("sex=f", "age_years=65.."))
    assert [s.name for s in source.subjects] == ["5.1"]
    assert source.flow is not None
    assert source.flow.excluded == (Excluded("not known to have sex=f", 8),)


@ON_SQLITE
def test_several_models_have_to_be_told_apart(site: Site, settings: Settings) -> None:
    _fill(site)
    site.study("1.0", 0.4, model=OTHER)
    with pytest.raises(
        CannotValidate, match=r"--model.*aaaaaaaaaaaa \(8 studies\), bbbbbbbbbbbb \(1 studies\)"
    ):
        site.source(settings)
    with pytest.raises(CannotValidate, match="--model"):
        site.source(settings, model="f00")
    assert site.source(settings, model="bb").subjects[0].probability == 0.4


@ON_SQLITE
def test_without_truth_or_results_nothing_is_validated(site: Site, settings: Settings) -> None:
    with pytest.raises(CannotValidate, match="no study of this period has a result"):
        site.source(settings)
    site.study("1.1", 0.5)
    with pytest.raises(CannotValidate, match="of 1 studies none can be validated: 1 truth not known"):
        site.source(settings)


@ON_SQLITE
def test_a_candidate_is_compared_on_the_studies_that_it_scored_too(site: Site, settings: Settings) -> None:
    _fill(site)
    for number, score in enumerate((0.8, 0.3, 0.6)):
        site.study(f"1.{number}", SCORES[number], candidate=score)
    site.study("6.1", 0.9, candidate=0.95)  # without truth
    source = site.source(settings, model=MODEL, against="ccc")
    ((name, rivals),) = source.rivals.items()
    assert name == "second 2 (cccccccccccc)"
    assert [s.probability for s in rivals] == [0.8, 0.3, 0.6, *[None] * 5]
    section = source.further[0]
    assert section.heading == f"Agreement with {name}"
    assert section.paragraphs[0].startswith("4 studies of the period that both")
    assert [row[1:] for row in section.tables[0].rows] == [("3", "1"), ("0", "0")]


@ON_SQLITE
def test_a_model_that_replaced_another_is_compared_on_the_studies_of_both(
    site: Site, settings: Settings
) -> None:
    _fill(site)
    site.study("1.0", 0.4, model=OTHER)
    site.study("1.1", 0.4, model=OTHER, slice_policy="automatic")
    with pytest.raises(CannotValidate, match="--against"):
        site.source(settings, model=MODEL, against="c")
    ((_, rivals),) = site.source(settings, model=MODEL, against="b").rivals.items()
    assert [s.name for s in rivals if s.probability is not None] == ["1.0"]


@ON_SQLITE
def test_a_model_whose_bundle_is_configured_says_what_its_bundle_says(site: Site, settings: Settings) -> None:
    bundle = load_bundle(demonstration())
    _fill(site, model=bundle.digest)
    source = site.source(settings)
    assert source.model.statements == bundle.card.statements
    assert source.model.training_data == bundle.card.training_data


@ON_SQLITE
def test_the_report_is_written_from_it_and_the_same_each_time(
    site: Site, settings: Settings, tmp_path: Path
) -> None:
    _fill(site, acquired_month="2026-01", manufacturer="ACME")
    for folder in ("one", "two"):
        write_report(site.source(settings), tmp_path / folder)
    page = (tmp_path / "one" / "report.html").read_text()
    assert "Drift" in page
    assert "ACME" in page
    assert (tmp_path / "two" / "report.html").read_text() == page


@pytest.mark.parametrize(
    "text",
    [
        "sex",
        "sex=",
        "sex=female",
        "hard=maybe",
        "name=Doe",
        "size_mm=30",
        "size_mm=a..b",
        "size_mm=nan..",
        "age_years=..",
    ],
)
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(BadSubgroup, match="expected sex"):
        condition(text)
