"""A report holds the numbers that others compute, needs nothing else, and is written of any patients."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import (  # type: ignore[import-untyped]
    accuracy_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
    roc_curve,
)
from statsmodels.stats.proportion import proportion_confint  # type: ignore[import-untyped]

from inference.evaluation.chapters.checklist import items
from inference.evaluation.flow import Excluded, Flow, Group
from inference.evaluation.page import Part
from inference.evaluation.pictures import pictures
from inference.evaluation.report import write_report
from inference.evaluation.section import Figure, Section
from inference.evaluation.source import Model
from inference.evaluation.subject import probabilities_of, truth_of
from tests.evaluated import abstained, bare, patients, source

SUBJECTS = tuple(abstained(each) if n in {3, 60} else each for n, each in enumerate(patients(1)))
SCORED = [each for each in SUBJECTS if each.probability is not None]
TRUTH, PROBABILITY = truth_of(SCORED), probabilities_of(SCORED)
FLOW = Flow(100, (Excluded("poor image quality", 11),), (Group("test", 38, 51),))
FULL = source(
    SUBJECTS,
    model=Model("a model", "1", "0" * 64, statements=("Demonstration model.",)),
    flow=FLOW,
    optimistic="The test part selected the checkpoint.",
    rivals={"ResNet50": tuple(replace(each, probability=0.5) for each in SUBJECTS[:80])},
    further=(Section("Drift", ("Scores by month.",)),),
)


class Page(HTMLParser):
    """Elements, headings, and what could lead out of the page."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.ids: list[str] = []
        self.headings: list[str] = []
        self.texts: list[str] = []
        self._heading = False
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._heading = tag in {"h1", "h2", "h3"}
        for name, value in attrs:
            if name in {"src", "href", "xlink:href", "data", "action", "poster", "srcset"}:
                self.references.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self._heading and data.strip():
            self.headings.append(data.strip())
            self._heading = False


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_report(FULL, folder)
    return folder


@pytest.fixture(scope="module")
def numbers(folder: Path) -> Any:
    return json.loads((folder / "report.json").read_text())


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page((folder / "report.html").read_text())


def test_the_figures_of_performance_are_scikit_learns(numbers: Any) -> None:
    found = numbers["results"]["performance"]
    called = PROBABILITY >= 0.5
    expected = {
        "accuracy": accuracy_score(TRUTH, called),
        "sensitivity": recall_score(TRUTH, called),
        "specificity": recall_score(~TRUTH, ~called),
        "positive_predictive_value": precision_score(TRUTH, called),
        "negative_predictive_value": precision_score(~TRUTH, ~called),
        "f1": f1_score(TRUTH, called),
        "brier": brier_score_loss(TRUTH, PROBABILITY),
    }
    assert {name: found[name]["value"] for name in expected} == pytest.approx(expected, abs=1e-9)
    for area in (found["auc"]["auc"], found["delong"]["auc"]):
        assert area["value"] == pytest.approx(roc_auc_score(TRUTH, PROBABILITY), abs=1e-9)
        assert area["low"] < area["value"] < area["high"] <= 1
    assert found["auc"]["resamples"] == 10_000


def test_the_intervals_of_shares_are_statsmodels(numbers: Any) -> None:
    found = numbers["results"]["performance"]
    (tn, fp), (fn, tp) = confusion_matrix(TRUTH, PROBABILITY >= 0.5).tolist()
    assert found["counts"] == {
        "true_positive": tp, "false_positive": fp, "true_negative": tn, "false_negative": fn,
    }  # fmt: skip
    for name, hits, total in (
        ("accuracy", tp + tn, tp + tn + fp + fn),
        ("sensitivity", tp, tp + fn),
        ("specificity", tn, tn + fp),
        ("positive_predictive_value", tp, tp + fp),
        ("negative_predictive_value", tn, tn + fn),
    ):
        low, high = proportion_confint(hits, total, method="wilson")
        assert (found[name]["low"], found[name]["high"]) == pytest.approx((low, high), abs=1e-12)


def test_curves_slices_and_subgroups_are_those_of_the_patients(numbers: Any) -> None:
    results = numbers["results"]
    costs, shares, _ = roc_curve(TRUTH, PROBABILITY, drop_intermediate=False)
    assert [point["false_positive_rate"] for point in results["roc"]] == pytest.approx(costs)
    assert [point["sensitivity"] for point in results["roc"]] == pytest.approx(shares)
    slices = np.array([value >= 0.5 for each in SCORED for value in each.slice_probabilities])
    truths = np.array([each.positive for each in SCORED for _ in each.slice_probabilities])
    assert results["slices"]["counts"]["true_positive"] == int(np.sum(slices & truths))
    assert results["slices"]["counts"]["true_negative"] == int(np.sum(~slices & ~truths))
    women = np.array([each.sex == "F" for each in SCORED])
    sex = next(each for each in results["subgroups"] if each["aspect"] == "sex")
    area = sex["groups"][0]["summary"]["auc"]["auc"]["value"]
    assert area == pytest.approx(roc_auc_score(TRUTH[women], PROBABILITY[women]), abs=1e-9)


def test_abstentions_are_counted_by_class_and_subjects_listed(numbers: Any, page: Page) -> None:
    assert numbers["results"]["abstained"] == {"positive": 1, "negative": 1}
    assert len(numbers["subjects"]) == 89
    assert numbers["flow"]["screened"] == 100
    said = "2 have no probability (1 PIMA, 1 IPN)"
    assert any(said in text for text in page.texts)


def test_the_page_needs_nothing_else(page: Page, folder: Path) -> None:
    assert [each for each in page.references if not each.startswith("#")] == []
    assert not {"script", "link", "img", "iframe", "object", "image"} & set(page.tags)
    content = (folder / "report.html").read_text()
    assert "url(http" not in content
    assert "@import" not in content


def test_every_place_it_refers_to_is_in_the_page(page: Page) -> None:
    assert {each.removeprefix("#") for each in page.references} <= set(page.ids)


def test_its_sections_are_in_the_order_of_tripod(page: Page) -> None:
    expected = [
        "An evaluation", "Abstract", "Introduction", "Background", "Intended use", "Objectives", "Methods",
        "Data", "Participants", "Outcome", "Predictors", "Sample size and missing data", "Preprocessing",
        "Model", "Statistics", "Results", "Flow of patients", "Characteristics", "Performance",
        "Confusion matrices", "Subgroups", "Calibration", "Decision curve", "Comparison", "Drift",
        "Discussion", "Limits", "What was not done", "Use and next steps", "Other information",
        "Reproduction", "TRIPOD+AI checklist",
    ]  # fmt: skip
    assert page.headings == expected


def test_the_checklist_names_all_items_and_only_places_that_are_there(page: Page) -> None:
    found = list(items(FULL))
    assert {int(item.number.rstrip("abcdefg")) for item in found} == set(range(1, 28))
    assert len({item.number for item in found}) == len(found) == 52
    assert {item.where for item in found} - {"", "Title"} <= set(page.headings)
    assert all(item.where or item.remark for item in found)


def test_what_must_be_known_first_stands_first(folder: Path) -> None:
    head, _, _ = (folder / "report.html").read_text().partition("<h2")
    assert "no diagnosis" in head
    assert "The test part selected the checkpoint." in head
    assert "Demonstration model." in head


def test_names_of_subjects_are_not_in_the_page(folder: Path) -> None:
    assert "case-00" not in (folder / "report.html").read_text()


def test_every_picture_is_a_file_and_is_xml(folder: Path) -> None:
    names = sorted(path.name for path in (folder / "figures").iterdir())
    assert names == [
        "calibration-1.svg", "confusion-matrices-1.svg", "decision-curve-1.svg", "flow-of-patients-1.svg",
        "performance-1.svg", "performance-2.svg", "subgroups-1.svg",
    ]  # fmt: skip
    for name in names:
        assert ET.parse(folder / "figures" / name).getroot().tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314
        sizes = re.findall(r"font-size: ([\d.]+)px", (folder / "figures" / name).read_text())
        assert all(float(size) >= 9 for size in sizes)
    assert not list(folder.rglob("*.unfinished"))


def test_pictures_of_sections_with_one_name_are_all_kept() -> None:
    twice = Section("Drift", figures=(Figure("", "<svg/>"), Figure("", "<svg />")))
    found = pictures([Part("Results", (twice, twice, Section("东软", figures=twice.figures)))])
    assert list(found) == [
        *(f"figures/drift-{n}.svg" for n in range(1, 5)),
        "figures/figure-1.svg",
        "figures/figure-2.svg",
    ]


def test_the_same_source_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_report(FULL, tmp_path)
    for path in (each for each in tmp_path.rglob("*") if each.is_file()):
        assert path.read_bytes() == (folder / path.relative_to(tmp_path)).read_bytes()


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    bad = '<script>alert("$x$")</script>'
    hostile = tuple(replace(each, scanner=bad, kernel=f"{bad}$", site=bad, lobe=bad) for each in SUBJECTS)
    told = source(
        hostile,
        title=bad,
        data=bad,
        model=Model(bad, bad, bad, bad, bad, (bad,), (bad,)),
        optimistic=bad,
        rivals={bad: hostile},
        flow=Flow(90, (Excluded(bad, 1),), (Group(bad, 38, 51),)),
    )
    write_report(told, tmp_path)
    page = Page((tmp_path / "report.html").read_text())
    assert "script" not in page.tags
    assert "".join(page.texts).count(bad) > 20


def test_names_in_any_letters_are_kept_and_long_ones_cut_in_the_picture(tmp_path: Path) -> None:
    named = tuple(replace(each, scanner="东软 128", kernel="k" * 99, site="a\x00b") for each in SUBJECTS)
    write_report(source(named), tmp_path)
    drawn = ET.parse(tmp_path / "figures" / "subgroups-1.svg")  # noqa: S314
    texts = ["".join(text.itertext()).strip() for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"东软 128 (37 / 50)", f"{'k' * 29}… (37 / 50)", "ab (37 / 50)"} <= {
        " ".join(t.split()) for t in texts
    }
    assert "k" * 99 in (tmp_path / "report.html").read_text()


WHOLE = patients(1)
BARE = tuple(map(bare, WHOLE))
ODD = {
    "nobody": (),
    "one patient": WHOLE[:1],
    "no positives": WHOLE[38:],
    "no negatives": BARE[:38],
    "one of each class": (BARE[0], BARE[50]),
    "all abstained": tuple(map(abstained, WHOLE)),
    "nothing known": BARE,
    "equal probabilities": tuple(replace(each, probability=0.5) for each in BARE),
    "certain and right": tuple(replace(each, probability=float(each.positive)) for each in BARE),
}


@pytest.mark.parametrize("name", ODD)
def test_a_report_is_written_of_any_patients(name: str, tmp_path: Path) -> None:
    others = tuple(replace(each, name=each.name[1:]) for each in BARE)
    write_report(source(ODD[name], rivals={"other patients": others}), tmp_path)
    assert Page((tmp_path / "report.html").read_text()).headings[-1] == "TRIPOD+AI checklist"
    json.loads((tmp_path / "report.json").read_text(), parse_constant=pytest.fail)


def test_what_one_class_does_not_tell_is_said(tmp_path: Path) -> None:
    write_report(source(BARE[38:]), tmp_path)
    found = json.loads((tmp_path / "report.json").read_text())["results"]
    reason = {"not_computable": "no positive patient among 51"}
    assert found["performance"]["auc"] == found["roc"] == found["recalibration"] == reason
    assert found["performance"]["specificity"]["value"] > 0.5
    assert "not computable: no positive patient among 51" in (tmp_path / "report.html").read_text()


def test_an_interval_of_resamples_that_are_all_alike_is_called_none(tmp_path: Path) -> None:
    """Three patients of each class, whom the score separates: 1.000 (1.000 to 1.000) would promise much."""
    few = [each for each in patients(1) if each.probability is not None][:3]
    shown = [replace(each, positive=n < 3, probability=0.9 - 0.1 * n) for n, each in enumerate([*few, *few])]
    named = tuple(replace(each, name=f"case-{n}") for n, each in enumerate(shown))
    write_report(source((*named, abstained(patients(2)[5]))), tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "(1.000 to 1.000)" not in page
    assert '<td class="number">1.000 (no interval)</td>' in page
    assert "no interval: all resamples are alike, which says nothing of how few the patients are" in page
    assert "<dt>patients scored</dt><dd><b>6</b><span>3 PIMA, 3 IPN; 1 without a probability</span>" in page


def test_pictures_of_an_earlier_report_go_and_what_lay_there_before_the_first_stays(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "of-my-thesis.svg").touch()
    write_report(source(patients(1)), tmp_path)
    assert (tmp_path / "figures" / "of-my-thesis.svg").exists()
    (tmp_path / "figures" / "agreement-1.svg").touch()
    write_report(source(patients(1)), tmp_path)
    assert not (tmp_path / "figures" / "agreement-1.svg").exists()
