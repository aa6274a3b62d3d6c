"""What an object says in words: known statements only, and nothing of the patient.

The words in a picture of a slice stand in its ImageComments too: `captions.caption` gives both, from the analysis
alone, which holds nothing of a patient, and neither it nor what letters a slice may import pydicom. So the comments
must read as those words do. Those of the summary card must have the warning, the statements and the report's numbers.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from dicom_out import codes
from dicom_out.captions import CARD_DESCRIPTION, HEADING, WARNING
from dicom_out.content_items import items
from dicom_out.finding import Finding
from dicom_out.header import PATIENT_AND_STUDY
from dicom_out.statements import in_sentences
from dicom_out.walk import Place, held, vr
from inference.findings import Label

_SCORE = (
    r"PIMA probability (\d+\.\d\d) %; (?:image -?\d+:|in this slice) (\d+\.\d\d) %; "
    rf"evidence for (?:{'|'.join(Label)})"
)
_RESULT = re.compile(
    rf"(?:no score(?:; image -?\d+)?|{_SCORE}); (?:cyan: )?(?:unconfirmed|marked) target\.\Z"
)
_OVER_A_SLICE = re.compile(
    rf"{HEADING}\r\n(?:no score|PIMA (\d+\.\d\d) %)\r\n(?:unconfirmed|marked) target\r\n"
    + r"\r\n".join(WARNING)
)
_FREE_TEXT = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_LEAST = 5  # characters of an identifier: shorter ones stand in any text
_ON_THE_CARD = re.compile(rf"\b(?:(?:{'|'.join(Label)}):|PIMA from) (\d+\.\d\d) %")


@dataclass(frozen=True)
class Said:
    """What a report says that its pictures say too."""

    statements: tuple[str, ...]  # of the models
    probabilities: frozenset[str]  # in percent, as they are written
    threshold: frozenset[str]  # likewise


def said_by(report: Dataset) -> Said:
    statements: dict[str, None] = {}
    probabilities: set[str] = set()
    threshold: set[str] = set()
    for item in items(report):
        code, _ = item.name
        if code == codes.MODEL_STATEMENT.value:
            statements[str(item.item.get("TextValue", ""))] = None
        elif code in (codes.PROBABILITY.value, codes.THRESHOLD.value):
            measured = item.item.get("MeasuredValueSequence") or ()
            numbers = probabilities if code == codes.PROBABILITY.value else threshold
            numbers.update(str(value.get("NumericValue", "")) for value in measured)
    return Said(tuple(statements), frozenset(probabilities), frozenset(threshold))


def is_card(picture: Dataset) -> bool:
    """The summary card, which lies on no slice."""
    return bool(picture.get("SeriesDescription") == CARD_DESCRIPTION)


def card_findings(card: Dataset, reports: Sequence[Said]) -> Iterator[Finding]:
    """ImageComments begin with the warning, have every statement of the models, and the report's numbers."""
    comments = str(card.get("ImageComments", ""))
    squeezed = _squeezed(comments)
    for said in reports:
        begins = squeezed.startswith(_squeezed(" - ".join(WARNING)))
        if not begins or any(_squeezed(statement) not in squeezed for statement in said.statements):
            yield Finding.of(card, "ImageComments", "other words", "the warning and the models' statements")
        if not (said.probabilities | said.threshold).issuperset(_ON_THE_CARD.findall(comments)):
            yield Finding.of(
                card, "ImageComments", "other numbers", "probability and threshold of the report"
            )


def comment_findings(picture: Dataset, reports: Sequence[Said]) -> Iterator[Finding]:
    """ImageComments are the warning, the statements of the models and the result, as the reports say them."""
    comments = str(picture.get("ImageComments", ""))
    for said in reports:
        beginning = in_sentences((" - ".join(WARNING), *said.statements))
        result = _RESULT.search(comments)
        if result is None or _squeezed(comments[: result.start()]) != _squeezed(beginning):
            yield Finding.of(
                picture, "ImageComments", "other words", "the warning, the models' statements and the result"
            )
        elif not said.probabilities.issuperset(number for number in result.groups() if number is not None):
            yield Finding.of(picture, "ImageComments", "other probabilities", "those of the report")


def overlay_findings(state: Dataset, reports: Sequence[Said]) -> Iterator[Finding]:
    """What a presentation state writes over a slice are the known words, with the reports' probability."""
    annotations = state.get("GraphicAnnotationSequence") or ()
    for text in (text for each in annotations for text in each.get("TextObjectSequence") or ()):
        words = _OVER_A_SLICE.fullmatch(str(text.get("UnformattedTextValue") or ""))
        if words is None:
            yield Finding.of(state, "UnformattedTextValue", "other words", "the result and the warning")
        elif any(words[1] not in (None, *said.probabilities) for said in reports):
            yield Finding.of(state, "UnformattedTextValue", "another probability", "that of the report")


def _squeezed(text: str) -> str:
    """Without spaces: those at the end of a value are lost in a file."""
    return "".join(text.split())


def heading_findings(ds: Dataset) -> Iterator[Finding]:
    description = str(ds.get("SeriesDescription") or "")
    if not description.startswith(HEADING):
        yield Finding.of(ds, "SeriesDescription", "other words", f"{HEADING} …")


def patient_findings(ds: Dataset, every: Sequence[Place], words: re.Pattern[str] | None) -> Iterator[Finding]:
    """Texts of ours that quote the patient: every one outside of the attributes of patient and study."""
    if words is None:
        return
    for place in every:
        for tag in list(place.item.keys()):
            keyword = keyword_for_tag(tag) or str(tag)
            copied = not place.path and keyword in PATIENT_AND_STUDY
            if vr(place.item, tag) in _FREE_TEXT and not copied and words.search(str(place.item[tag].value)):
                yield Finding.of(ds, place.below(keyword), "words that identify the patient", "none")


def identifying(sources: Sequence[Dataset]) -> re.Pattern[str] | None:
    """What would identify the patient in a text: full name, identifiers, birth date, each as whole words."""
    words = {word for ds in sources for word in _identifying(ds)}
    if not words:
        return None
    return re.compile(rf"(?<!\w)(?:{'|'.join(sorted(words))})(?!\w)", re.IGNORECASE)


def _identifying(ds: Dataset) -> Iterator[str]:
    for keyword in ("PatientID", "PatientBirthDate", "AccessionNumber"):
        text = _ascii(ds, keyword).strip()
        if len(text) >= _LEAST and any(c.isdigit() for c in text):
            yield re.escape(text)
    name = _ascii(ds, "PatientName").split("=")[0].strip()
    parts = [re.escape(part) for part in name.split("^")[:2] if len(part) > 1]
    if len(parts) == 2:
        yield r"\W{1,2}".join(parts)
        yield r"\W{1,2}".join(reversed(parts))


def _ascii(ds: Dataset, keyword: str) -> str:
    """The value without decoding it: our own words are ASCII, so no other letters could be quoted."""
    value = held(ds, Tag(keyword)).value if keyword in ds else None
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value or "")
