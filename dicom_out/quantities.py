"""The numbers of a report: their units, and how they are written."""

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as standard

from dicom_out import codes
from dicom_out.content_items import Item, coded
from dicom_out.finding import Finding
from dicom_out.vocabulary import OURS

_UCUM = frozenset(code.value for code in OURS if code.scheme_designator == "UCUM") | {
    getattr(standard.UCUM, name).value for name in standard.UCUM.dir()
}
_UNITS = {
    codes.PROBABILITY: codes.PERCENT,
    codes.THRESHOLD: codes.PERCENT,
    codes.SPREAD: codes.PERCENT,
    codes.FLIP: codes.PERCENT,
    codes.SLICE_COUNT: codes.SLICES,
    codes.LONG_AXIS: codes.MILLIMETER,
    codes.VOLUME: codes.MILLILITER,
}
_UNIT_OF = {(name.value, name.scheme_designator): unit.value for name, unit in _UNITS.items()}


def number_findings(ds: Dataset, item: Item) -> Iterator[Finding]:
    """A unit of UCUM, the one decided for the concept; percents from 0 to 100 with two decimals."""
    for measured in item.item.get("MeasuredValueSequence") or ():
        unit, scheme = coded(measured, "MeasurementUnitsCodeSequence")
        if scheme != "UCUM" or unit not in _UCUM:
            yield Finding.of(ds, f"{item.where} unit", f"{unit} ({scheme})", "a code of UCUM")
        elif unit != _UNIT_OF.get(item.name, unit):
            yield Finding.of(ds, f"{item.where} unit", unit, _UNIT_OF[item.name])
        value = str(measured.get("NumericValue", ""))
        if unit == codes.PERCENT.value and not _is_percent(value):
            yield Finding.of(ds, f"{item.where} value", value, "0.00 to 100.00")


def _is_percent(value: str) -> bool:
    whole, point, decimals = value.partition(".")
    return (
        whole.isdigit() and point == "." and decimals.isdigit() and len(decimals) == 2 and float(value) <= 100
    )
