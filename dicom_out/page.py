"""A report as one HTML page that needs nothing else: key facts, pictures, and then all that the report holds."""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from html import escape
from io import BytesIO

from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import UID

from dicom_out import codes
from dicom_out.page_style import STYLE


def png(capture: Dataset) -> bytes:
    """The picture of a Secondary Capture."""
    image = Image.frombytes("RGB", (capture.Columns, capture.Rows), capture.PixelData)
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def html(report: Dataset, pictures: Mapping[str, bytes]) -> str:
    """The page of a report; `pictures` are PNGs by the SOP Instance UID of their Secondary Captures."""
    parts = (
        _heading(report),
        _answer(report),
        _facts(report),
        _gallery(report, pictures),
        _statements(report),
    )
    body = "\n".join(part for part in parts if part)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>AI research report</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n"
        f"<details>\n<summary>Everything the report holds</summary>\n<ul class=tree>{_tree(report)}</ul>\n"
        "</details>\n</main>\n</body>\n</html>\n"
    )


def _heading(report: Dataset) -> str:
    person = ", ".join(
        filter(None, (str(report.get("PatientName") or ""), str(report.get("PatientID") or "")))
    )
    study = " ".join(
        filter(None, (str(report.get("StudyDescription") or ""), _date(report.get("StudyDate"))))
    )
    about = " &middot; ".join(escape(text) for text in (person, study) if text)
    return (
        "<header>\n<p class=tag>AI research result &middot; not for diagnosis</p>\n"
        "<h1>Mucinous adenocarcinoma or inflammatory nodule?</h1>\n"
        f"<p class=about>{about}</p>\n</header>"
    )


def _answer(report: Dataset) -> str:
    """What was found and how sure it is, with what must be known about it in the same frame."""
    result = _groups(report)[0]
    policy = _value(_first(result, codes.SLICE_SELECTION))
    cautions = (policy, *(_value(item) for item in _every(result, codes.MODEL_STATEMENT)))
    notes = "".join(f"<li>{escape(caution)}</li>" for caution in cautions)
    return f"<section class=answer>\n{_score(result)}\n<ul class=cautions>{notes}</ul>\n</section>"


def _score(result: Dataset) -> str:
    said = _first(result, codes.PREDICTED_CLASS)
    if said is None:
        return "<p class=class>No class and no probability</p>"
    probability, threshold = (_value(_first(result, code)) for code in (codes.PROBABILITY, codes.THRESHOLD))
    predicted = said.ConceptCodeSequence[0]
    share, mark = (text.split()[0] for text in (probability, threshold))
    return (
        f"<p class=about>{escape(_name(said))}</p>\n<p class=class><b>{escape(predicted.CodeValue)}</b> "
        f"{escape(predicted.CodeMeaning)}</p>\n"
        f"<p class=number>{escape(probability)}<small>model probability of PIMA; from {escape(threshold)} up "
        "the class is PIMA</small></p>\n"
        f'<div class=scale><div style="width:{escape(share)}%"></div>'
        f'<i style="left:{escape(mark)}%"></i></div>'
    )


def _facts(report: Dataset) -> str:
    rows = "\n".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in _key_facts(report))
    return f"<dl>\n{rows}\n</dl>"


def _key_facts(report: Dataset) -> Iterator[tuple[str, str]]:
    result, *others = _groups(report)
    for code in (codes.SLICE_COUNT, codes.SPREAD, codes.FLIP):
        for item in _every(result, code):
            yield _name(item), _value(item)
    for group in others:
        facts = [_value(_first(group, code)) for code in (codes.VOLUME, codes.LONG_AXIS, codes.POSITION)]
        if any(facts):
            yield _title(group), ", ".join(filter(None, facts))
    for device in report.ContributingEquipmentSequence:
        build = str(device.get("ContributionDescription") or "")
        yield f"{device.ManufacturerModelName}", f"version {device.SoftwareVersions}, {build}"


def _gallery(report: Dataset, pictures: Mapping[str, bytes]) -> str:
    figures = "\n".join(
        f'<figure><img alt="{escape(caption)}" src="data:image/png;base64,{b64encode(content).decode()}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for caption, content in _pictured(report, pictures)
    )
    return f"<section class=gallery>\n{figures}\n</section>" if figures else ""


def _pictured(report: Dataset, pictures: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    for group in _groups(report):
        for code in (codes.VISUAL_EXPLANATION, codes.ILLUSTRATION):
            item = _first(group, code)
            uid = "" if item is None else str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
            if uid in pictures:
                score = _value(_first(group, codes.PROBABILITY))
                yield _title(group) + (f": {score}" if score else ""), pictures[uid]


def _statements(report: Dataset) -> str:
    said = (codes.NOT_ASSESSED, codes.COMMENT, codes.CALIBRATION, codes.INPUT_QUALITY, codes.LIMITATION)
    items = (item for code in said for item in _every(_groups(report)[0], code))
    lines = "\n".join(f"<li><span>{escape(_name(i))}</span> {escape(_value(i))}</li>" for i in items)
    return f"<ul class=statements>\n{lines}\n</ul>"


def _tree(item: Dataset) -> str:
    children = "".join(_tree(child) for child in item.get("ContentSequence", ()))
    value = f" <b>{escape(_value(item))}</b>" if _value(item) else ""
    return f"<li>{escape(_name(item))}{value}{f'<ul>{children}</ul>' if children else ''}</li>\n"


def _groups(report: Dataset) -> list[Dataset]:
    """The measurement groups; the first is the patient's."""
    measurements = next(item for item in report.ContentSequence if item.ValueType == "CONTAINER")
    return list(measurements.ContentSequence)


def _every(group: Dataset, code: Code) -> Iterator[Dataset]:
    for item in group.ContentSequence:
        concept = item.ConceptNameCodeSequence[0]
        if (concept.CodeValue, concept.CodingSchemeDesignator) == (code.value, code.scheme_designator):
            yield item


def _first(group: Dataset, code: Code) -> Dataset | None:
    return next(_every(group, code), None)


def _title(group: Dataset) -> str:
    return _value(_first(group, codes.TRACKING_IDENTIFIER))


def _name(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeMeaning)


def _value(item: Dataset | None) -> str:
    """The value of a content item in words; nothing for a container, or where there is no item."""
    match None if item is None else item.ValueType, item:
        case "TEXT", Dataset():
            return str(item.TextValue)
        case "CODE", Dataset():
            return str(item.ConceptCodeSequence[0].CodeMeaning)
        case "NUM", Dataset():
            measured = item.MeasuredValueSequence[0]
            return f"{measured.NumericValue} {measured.MeasurementUnitsCodeSequence[0].CodeValue.strip('{}')}"
        case "UIDREF", Dataset():
            return str(item.UID)
        case "IMAGE" | "COMPOSITE", Dataset():
            referenced = item.ReferencedSOPSequence[0]
            return f"{UID(referenced.ReferencedSOPClassUID).name} {referenced.ReferencedSOPInstanceUID}"
        case _:
            return ""


def _date(value: object) -> str:
    text = str(value or "")
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if len(text) == 8 else text
