"""What the check of a result object finds."""

from dataclasses import dataclass

from pydicom.dataset import Dataset


@dataclass(frozen=True)
class Finding:
    """One fault of one object, in UIDs, keywords, codes and our own words: never what a patient's attribute holds."""

    sop_instance_uid: str
    where: str  # a keyword, below the sequences it lies in, or a content item
    given: str
    expected: str

    @classmethod
    def of(cls, ds: Dataset, where: str, given: str, expected: str) -> "Finding":
        return cls(str(ds.get("SOPInstanceUID") or ""), where, given, expected)

    def __str__(self) -> str:
        return f"{self.where}: {self.given}, expected {self.expected}"
