"""That codes mean what we say they mean, and that private ones are declared (PS3.16 section 8.2)."""

from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from dicom_out import codes
from dicom_out.finding import Finding
from dicom_out.walk import Place


def _ours() -> Iterator[Code]:
    for value in vars(codes).values():
        every = value.values() if isinstance(value, dict) else (value,)
        yield from (code for code in every if isinstance(code, Code))


OURS = tuple(_ours())
"""Every code of `codes`."""

_MEANINGS = {(code.value, code.scheme_designator): code.meaning for code in OURS}


def code_findings(ds: Dataset, every: Sequence[Place]) -> Iterator[Finding]:
    """Codes of ours with another meaning, and private schemes that the object does not identify."""
    identified = {
        str(scheme.get("CodingSchemeDesignator"))
        for scheme in ds.get("CodingSchemeIdentificationSequence") or ()
    }
    for place in every:
        if not place.sequence.endswith("CodeSequence"):
            continue
        scheme = str(place.item.get("CodingSchemeDesignator", ""))
        key = str(place.item.get("CodeValue", "")), scheme
        meaning = str(place.item.get("CodeMeaning", ""))
        private = scheme.startswith("99")
        expected = _MEANINGS.get(key, "a code of ours" if private else meaning)
        if meaning != expected and key[1] != "UCUM":  # of units the code is the meaning
            yield Finding.of(ds, place.path, f"another meaning of {key[0]}", expected)
        if private and scheme not in identified:
            yield Finding.of(ds, place.path, scheme, "a scheme in CodingSchemeIdentificationSequence")
