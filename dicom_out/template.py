"""Mandatory rows of a template of PS3.16, and whether a content item has them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from dicom_out.content_items import Item
from dicom_out.finding import Finding


@dataclass(frozen=True)
class Row:
    """At least one child of this name, with that relationship and type."""

    tid: str
    name: Code
    relationship: str
    value_type: str
    value: Code | None = None  # of a CODE; None for any

    def fits(self, child: Item) -> bool:
        if (child.relationship, child.value_type) != (self.relationship, self.value_type):
            return False
        expected = self.value
        return expected is None or child.value == (expected.value, expected.scheme_designator)


def row_findings(ds: Dataset, parent: Item, where: str, rows: Sequence[Row]) -> Iterator[Finding]:
    for row in rows:
        if not any(row.fits(child) for child in parent.named(row.name)):
            value = "" if row.value is None else f" = {row.value.value}"
            yield Finding.of(
                ds,
                f"{where} > {row.name.meaning}",
                "absent, or of another kind",
                f"{row.relationship} {row.value_type}{value} (TID {row.tid})",
            )


def template_of(ds: Dataset) -> tuple[str, str]:
    """The mapping resource and identifier of the template that the document names, empty where it names none."""
    template = (ds.get("ContentTemplateSequence") or [Dataset()])[0]
    return str(template.get("MappingResource", "")), str(template.get("TemplateIdentifier", ""))
