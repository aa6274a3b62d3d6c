"""Which annotation objects of a study count, and what a rejection note withdraws; each refusal is one sentence."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from dicom_out.identity import PRODUCT, device_uid, node_device_uid
from inference.annotation_files import File, Summary, summarise
from inference.findings import AlgorithmIdentity
from node.choice import Finding
from node.headers import Header


@dataclass(frozen=True)
class Judgement:
    """What the annotation objects of a study come to."""

    counting: frozenset[str]  # SOP Instance UIDs of annotations
    series: frozenset[str]  # Series Instance UIDs that those refer to
    withdrawn: frozenset[str]  # SOP Instance UIDs of images and annotations
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Rules:
    """Whose annotations count."""

    patients: frozenset[str]  # keys of the patients of the images
    our_devices: frozenset[str]  # Device UIDs
    algorithms: bool  # do another algorithm's?


def our_devices(installation_id: str, algorithms: Iterable[AlgorithmIdentity]) -> frozenset[str]:
    """The Device UIDs by which a result of ours is known, whatever generation it is of."""
    return frozenset({node_device_uid(installation_id), *(device_uid(algorithm) for algorithm in algorithms)})


def judge(annotations: Sequence[Header], rules: Rules) -> Judgement:
    """Reads the files without their pixels; raises OSError for one that is not there."""
    read = [(header, summarise(as_file(header))) for header in annotations]
    notes = [
        summary
        for header, summary in read
        if summary.withdraws and not (_is_ours(summary, rules) or header.patient_key not in rules.patients)
    ]
    withdrawn = frozenset(uid for note in notes for uid in note.withdraws)
    counting, findings = [], list(_withdrawals(notes))
    for header, summary in read:
        what = f"{summary.kind} {summary.sop_instance_uid}"
        if why_not := _why_not(header, summary, withdrawn, rules):
            findings.append(Finding("annotation does not count", f"{what}: {why_not}"))
        else:
            counting.append(summary.sop_instance_uid)
            findings.append(Finding("annotation counts", what))
    series = frozenset(uid for _, s in read if s.sop_instance_uid in counting for uid in s.refers_to)
    return Judgement(frozenset(counting), series, withdrawn, tuple(findings))


def as_file(header: Header) -> File:
    return File(header.path, header.sop_instance_uid, header.sop_class_uid)


def _is_ours(summary: Summary, rules: Rules) -> bool:
    """By its devices; another installation of this product is ours too."""
    return not summary.device_uids.isdisjoint(rules.our_devices) or summary.model_name == PRODUCT


def _withdrawals(notes: Iterable[Summary]) -> Iterator[Finding]:
    for note in notes:
        yield Finding(
            "objects withdrawn", f"{len(note.withdraws)} objects by rejection note {note.sop_instance_uid}"
        )


def _why_not(header: Header, summary: Summary, withdrawn: Collection[str], rules: Rules) -> str | None:
    if _is_ours(summary, rules):
        return "it is a result of this product"
    if header.patient_key not in rules.patients:
        return "it is of another patient than the images"
    if summary.sop_instance_uid in withdrawn:
        return "a rejection note withdraws it"
    if summary.marks_nothing:
        return summary.marks_nothing
    if summary.by_algorithm and not rules.algorithms:
        return "an algorithm made it, and no person"
    return None
