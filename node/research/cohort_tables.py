"""What a synthetic cohort says beside its images: the patient table, the marked slices, the truth, and what it is."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO

from dicom_out.durable import write_durably
from inference.findings import Label
from inference.synthetic.plan import LeftOut, Plan
from inference.synthetic.published import IPN, MEETING_MM, PIMA, Class, is_hard
from node.research.cohort_drawing import FIELD_MM, Marked
from node.research.cohort_folder import Asked, Folder

_PATIENT_COLUMNS = (
    "patient_id", "label", "confirmed_by", "acquired", "size_mm", "lobe", "sex", "age", "site", "hard",
    "study_instance_uid", "confirmed_on", "follow_up_months", "exclude",
)  # fmt: skip
_TRUTH_COLUMNS = ("study_instance_uid", "label", "confirmed_by", "confirmed_on")
_CONFIRMED_BY = {Label.PIMA: "histology", Label.IPN: "follow_up"}

Rows = Iterable[Mapping[str, object]]


def write_tables(plan: Plan, marked: Sequence[Marked], folder: Folder, asked: Asked) -> None:
    patients = [*(_patient_row(m) for m in marked), *(_left_out_row(p) for p in plan.left_out)]
    slices = [
        {"patient_id": m.patient.patient_id, "sop_instance_uid": uid} for m in marked for uid in m.slices
    ]
    write_durably(_csv(_PATIENT_COLUMNS, patients), folder.path / "patients.csv")
    write_durably(_csv(tuple(slices[0]), slices), folder.path / "annotations" / "slices.csv")
    write_durably(_csv(_TRUTH_COLUMNS, map(_truth_row, marked)), folder.path / "truth.csv")
    write_durably(_readme(plan, marked, asked).encode(), folder.path / "README.md")


def _patient_row(marked: Marked) -> dict[str, object]:
    patient, record = marked.patient, marked.record
    histology = patient.label is Label.PIMA
    return {
        "patient_id": patient.patient_id,
        "label": patient.label,
        "confirmed_by": _CONFIRMED_BY[patient.label],
        "acquired": patient.acquired,
        "size_mm": record.size_mm,
        "lobe": patient.lobe,
        "sex": patient.sex,
        "age": patient.age,
        "site": patient.scanner.site,
        "hard": "yes" if is_hard(patient.label, record.size_mm) else "no",
        "study_instance_uid": record.study_instance_uid,
        "confirmed_on": patient.confirmed_on if histology else "",
        "follow_up_months": patient.follow_up_months or "",
    }


def _left_out_row(person: LeftOut) -> dict[str, object]:
    return {
        "patient_id": person.patient_id,
        "label": person.label,
        "acquired": person.acquired,
        "sex": person.sex,
        "age": person.age,
        "exclude": person.reason,
    }


def _truth_row(marked: Marked) -> dict[str, object]:
    return {
        "study_instance_uid": marked.record.study_instance_uid,
        "label": marked.patient.label,
        "confirmed_by": _CONFIRMED_BY[marked.patient.label],
        "confirmed_on": marked.patient.confirmed_on,
    }


def _csv(columns: Sequence[str], rows: Rows) -> bytes:
    text = StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue().encode()


def _readme(plan: Plan, marked: Sequence[Marked], asked: Asked) -> str:
    pima = sum(m.patient.label is Label.PIMA for m in marked)
    off_mm = max(abs(m.record.size_mm - m.record.wanted_mm) for m in marked)
    slices = sum(len(m.slices) for m in marked)
    return f"""# A synthetic cohort

Everything here is drawn: no image, name or number is of a person, and what a model learns from it has no clinical meaning.
Two kinds of lesion, caricatures of PIMA and IPN, stand in chests of one kind; they are easier to tell apart than in life.

Made by `sedas-node cohort synth` with seed {asked.seed}, {asked.patients} patients, {asked.pixels} x {asked.pixels} pixels of {FIELD_MM / asked.pixels:.3g} mm; the same numbers give the same bytes.

- {pima} PIMA and {len(marked) - pima} IPN, {slices} marked slices; {len(plan.left_out)} more screened and left out, without images.
- `patients.csv`: one row a patient. Counts of labels, lobes and sexes, and the quartiles of ages and sizes, follow the paper's table 1 in each class; each is dealt out independently of the others. Least and greatest are ours (sizes {_ends(PIMA)} PIMA, {_ends(IPN)} IPN), as are dates, two sites, three scanners and kernels (the paper is of one site).
- `size_mm` is the longest axial diameter of the lesion as drawn; the largest difference from the wanted one is {off_mm:.1f} mm. `lobe` is that of its centre, behind planes that stand for the fissures; a large lesion reaches beyond its lobe. `hard` is PIMA below and IPN above {MEETING_MM:g} mm, where the quartiles of the classes meet.
- `dicom/PATIENT/`: one CT series of 5 mm slices, and `marks.dcm`, a Key Object Selection of the marked slices.
- `annotations/slices.csv`: the same slices. Of those that show the lesion the central ones are marked, in proportion to their number.
- `truth.csv`: for `sedas-node truth import`.
- `drawn/`: how each patient came out, with the lesion's centre and every slice that shows it.
"""


def _ends(kind: Class) -> str:
    least, *_, greatest = kind.sizes_mm.values
    return f"{least:g} and {greatest:g} mm"
