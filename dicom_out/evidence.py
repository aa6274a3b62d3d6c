"""That every reference of an object leads to a source or to another object of the result, and is listed as evidence."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from dicom_out.finding import Finding
from dicom_out.walk import Place

Instances = Mapping[str, "Instance"]
"""What may be referred to, by SOP Instance UID."""

# Documents and requests of other times, and patient and study, which are the source's own
ELSEWHERE = (
    "PredecessorDocumentsSequence",
    "IdenticalDocumentsSequence",
    "ReferencedRequestSequence",
    "ReferencedPerformedProcedureStepSequence",
)
_LISTS = (
    "CurrentRequestedProcedureEvidenceSequence",
    "PertinentOtherEvidenceSequence",
    "ReferencedSeriesSequence",  # Common Instance Reference, PS3.3 C.12.2; of a presentation state, C.11.11
    "StudiesContainingOtherReferencedInstancesSequence",
)
_HELD = ("ReferencedSOPSequence", "ReferencedInstanceSequence", "ReferencedImageSequence")


@dataclass(frozen=True)
class Instance:
    sop_class_uid: str
    series_instance_uid: str
    study_instance_uid: str


def instances(every: Iterable[Dataset]) -> dict[str, Instance]:
    return {
        str(ds.get("SOPInstanceUID", "")): Instance(
            *(str(ds.get(k, "")) for k in ("SOPClassUID", "SeriesInstanceUID", "StudyInstanceUID"))
        )
        for ds in every
    }


def reference_findings(ds: Dataset, every: Sequence[Place], known: Instances) -> Iterator[Finding]:
    """Of all references in `ds`, of which `every` place is given, and of its lists of evidence."""
    listed: set[str] = set()
    for listing in _listings(ds):
        yield from _listing_findings(ds, listing, known)
        listed.add(listing.sop_instance_uid)
    for place in every:
        if "ReferencedSOPInstanceUID" not in place.item or place.path.startswith(ELSEWHERE):
            continue
        uid = str(place.item.ReferencedSOPInstanceUID)
        given = str(place.item.get("ReferencedSOPClassUID", ""))
        if uid not in known:
            yield Finding.of(ds, place.path, uid, "a source or an object of this result")
        elif given != known[uid].sop_class_uid:
            yield Finding.of(ds, place.path, f"{uid} as {given}", known[uid].sop_class_uid)
        if uid not in listed:
            yield Finding.of(ds, place.path, uid, "an instance that the evidence lists")


def evidence_findings(report: Dataset, pictures: Iterable[Dataset]) -> Iterator[Finding]:
    """The report is the root of the result: it lists every picture (IHE AIR 6.5.3)."""
    listed = {listing.sop_instance_uid for listing in _listings(report)}
    for uid in (str(ds.SOPInstanceUID) for ds in pictures):
        if uid not in listed:
            expected = f"picture {uid} among the evidence"
            yield Finding.of(report, "CurrentRequestedProcedureEvidenceSequence", "absent", expected)


@dataclass(frozen=True)
class _Listing:
    """One instance in a list of evidence, in its place of study and series."""

    where: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str


def _listings(ds: Dataset) -> Iterator[_Listing]:
    own = str(ds.get("StudyInstanceUID", ""))
    for keyword in _LISTS:
        for item in ds.get(keyword) or ():
            study = str(item.get("StudyInstanceUID", own))
            for series in item.get("ReferencedSeriesSequence") or (item,):
                uid = str(series.get("SeriesInstanceUID", ""))
                held = next((series[k].value for k in _HELD if k in series), ())
                for reference in held:
                    instance = str(reference.get("ReferencedSOPInstanceUID", ""))
                    yield _Listing(keyword, instance, uid, study)


def _listing_findings(ds: Dataset, listing: _Listing, known: Instances) -> Iterator[Finding]:
    instance = known.get(listing.sop_instance_uid)
    if instance is None:
        return  # said of the reference itself
    given = listing.study_instance_uid, listing.series_instance_uid
    expected = instance.study_instance_uid, instance.series_instance_uid
    if given != expected:
        where = f"{listing.where} {listing.sop_instance_uid}"
        yield Finding.of(
            ds,
            where,
            "study {} series {}".format(*given),
            "study {} series {}".format(*expected),
        )
