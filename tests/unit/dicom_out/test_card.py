from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from pydicom.dataset import Dataset

from dicom_out.capture import key_slices
from dicom_out.card import telling_slice, words
from dicom_out.card_layout import Refusal, Score
from dicom_out.encode import content, encode
from dicom_out.header import SourceSeries
from inference.findings import Analysis, InputQuality, QualityCode, SlicePolicy, Target
from tests.analyses import DEMONSTRATION, LIMIT, PROVENANCE, analysis_of, ct_headers

HEADERS = ct_headers()
SERIES = SourceSeries.of(HEADERS)


def _card(analysis: Analysis, headers: list[Dataset] | None = None) -> Dataset:
    return encode(analysis, headers or HEADERS, PROVENANCE)[0]


def _abstained(analysis: Analysis) -> Analysis:
    return replace(analysis.without_score(), abstained_for=analysis.input_quality)


def _facts(analysis: Analysis) -> dict[str, tuple[str, ...]]:
    return {fact.name: fact.sentences for fact in words(analysis, SERIES).facts}


VARIANTS: dict[str, Callable[[], Analysis]] = {
    "scored": lambda: analysis_of(HEADERS),
    "marked": lambda: analysis_of(HEADERS, policy=SlicePolicy.ANNOTATED),
    "candidates only": lambda: analysis_of(HEADERS).without_score(),
    "abstained": lambda: _abstained(analysis_of(HEADERS)),
    "no target": lambda: analysis_of(HEADERS, policy=SlicePolicy.NONE),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_result_has_one_card_and_it_comes_first(variant: str) -> None:
    card, *others = encode(VARIANTS[variant](), HEADERS, PROVENANCE)
    assert card.SeriesDescription == "AI RESEARCH summary"
    assert (card.Modality, card.Columns, card.InstanceNumber) == ("OT", 1024, 1)
    assert all(card.SeriesNumber < ds.SeriesNumber for ds in others)
    assert card.SeriesInstanceUID not in {ds.SeriesInstanceUID for ds in others}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_same_facts_give_the_same_card(variant: str) -> None:
    first = _card(VARIANTS[variant]())
    assert content(first) == content(_card(VARIANTS[variant](), ct_headers()[::-1]))


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_identity_of_the_patient_is_not_on_it(variant: str) -> None:
    others = ct_headers()
    for header in others:
        header.PatientName, header.PatientID, header.PatientBirthDate = "Zz^Qq", "999", "19010101"
        header.AccessionNumber, header.StudyDescription, header.StudyDate = "Z9", "Zz Qq", "19990101"
    analysis = VARIANTS[variant]()
    card, other = _card(analysis), _card(analysis, others)
    assert card.PixelData == other.PixelData
    assert card.ImageComments == other.ImageComments
    assert card.BurnedInAnnotation == "NO"


def test_a_score_stands_with_its_class_threshold_and_pooling() -> None:
    result = words(analysis_of(HEADERS), SERIES).result
    assert isinstance(result, Score)
    assert (result.label, result.number) == ("PIMA", "62.71 %")
    assert result.threshold_words == "PIMA from 50.00 % up"
    assert result.notes == ("model probability of PIMA", "mean of the slices")
    calibrated = words(replace(analysis_of(HEADERS), calibration="On 120 patients."), SERIES).result
    assert isinstance(calibrated, Score)
    assert calibrated.notes[-1] == "mean of the slices, calibrated"


@pytest.mark.parametrize(
    ("variant", "headline", "reasons"),
    [
        ("abstained", "NOT ASSESSED", ("Slices are 8.0 mm thick; the model expects 5.0 mm.",)),
        ("no target", "NO TARGET FOUND", ("No target was found; no probability is given.",)),
        (
            "candidates only",
            "NO SCORE",
            ("Candidates only: this result says where to look; no class and no probability is given.",),
        ),
    ],
)
def test_without_a_score_the_card_says_why_and_gives_no_number(
    variant: str, headline: str, reasons: tuple[str, ...]
) -> None:
    said = words(VARIANTS[variant](), SERIES)
    assert said.result == Refusal(headline, reasons)
    assert not any("%" in sentence for fact in said.facts for sentence in fact.sentences)


def test_an_abstention_without_a_target_says_both() -> None:
    none = analysis_of(HEADERS, policy=SlicePolicy.NONE)
    said = words(replace(none, abstained_for=none.input_quality), SERIES)
    assert isinstance(said.result, Refusal)
    assert said.result.headline == "NOT ASSESSED"
    assert said.notes[0].text == "No target found"


def test_the_notes_say_whose_the_target_is_and_what_the_model_must_say() -> None:
    automatic = words(analysis_of(HEADERS), SERIES).notes
    assert [note.text for note in automatic] == ["Unconfirmed automatic candidate", DEMONSTRATION]
    assert all(note.caution for note in automatic)
    marked = words(VARIANTS["marked"](), SERIES).notes
    assert (marked[0].text, marked[0].caution) == ("Target marked in the study", False)


def test_the_facts_are_slices_target_consistency_input_model_and_limits() -> None:
    assert _facts(analysis_of(HEADERS)) == {
        "Slices": ("7 slices scored: images 3 to 9 of series 2",),
        "Target": ("long axis 24.0 mm; 1 other candidate not scored",),
        "Consistency": ("slices spread by 15.25 %; mirroring shifts the result by 3.12 %",),
        "Input": ("Slices are 8.0 mm thick; the model expects 5.0 mm.",),
        "Model": ("SE-DAS ResNet50 demonstration, version 1, sha256 aaaaaaaaaaaa",),
        "Limits": (LIMIT,),
    }


def test_slabs_and_unknown_numbers_are_said_as_they_are() -> None:
    analysis = analysis_of(HEADERS, scored=slice(2, 3))
    slab = replace(analysis.slices[0], source_uids=tuple(str(h.SOPInstanceUID) for h in HEADERS[:3]))
    assert _facts(replace(analysis, slices=(slab,)))["Slices"] == (
        "1 slice scored, each a mean of up to 3: image 3 of series 2",
    )
    unnumbered = replace(analysis.slices[0], instance_number=None)
    headers = ct_headers()
    for header in headers:
        del header.SeriesNumber
    said = words(replace(analysis, slices=(unnumbered,), target=Target(None, None)), SourceSeries.of(headers))
    assert said.facts[0].sentences == ("1 slice scored",)


def test_of_many_findings_the_card_says_how_many_more_there_are() -> None:
    many = tuple(InputQuality(QualityCode.ANNOTATION_REFUSED, f"Mark {n} is refused.") for n in range(40))
    said = _facts(replace(analysis_of(HEADERS), input_quality=many))["Input"]
    assert said == (*(f"Mark {n} is refused." for n in range(4)), "And 36 more: see the report.")


def test_a_finding_that_is_the_reason_is_not_said_twice() -> None:
    assert "Input" not in _facts(VARIANTS["abstained"]())


def test_the_slice_that_shows_most_of_the_target_is_shown_not_the_one_with_the_highest_score() -> None:
    analysis = analysis_of(HEADERS)
    grown = np.ones_like(analysis.slices[-2].lesion)
    slices = [*analysis.slices[:-2], replace(analysis.slices[-2], lesion=grown), analysis.slices[-1]]
    changed = replace(analysis, slices=tuple(slices))
    shown = telling_slice(changed)
    assert shown in key_slices(changed)
    assert shown is max(key_slices(changed), key=lambda s: np.count_nonzero(s.lesion))
    assert telling_slice(VARIANTS["no target"]()) is None


def test_words_from_elsewhere_become_ascii() -> None:
    analysis = analysis_of(HEADERS)
    model = replace(analysis.classifier, name="L\u00e4sion \u80ba", limits=("Nur f\u00fcr Forschung.",))
    facts = _facts(replace(analysis, classifier=model))
    assert facts["Model"][0].startswith("Lasion ?, version 1")
    assert facts["Limits"] == ("Nur fur Forschung.",)
