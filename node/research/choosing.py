"""Which series of a patient a dataset takes, and the marks in it: the service's own choice, as for a folder."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from config.settings import Settings
from inference.dataset.marks import Marks
from inference.dataset.sources import Images, Missing, Reason, acquisition
from inference.dataset.table import Row
from node.annotations import Judgement, as_file
from node.choice import NotAnalysable
from node.folder import Folder, choose, judge_annotations
from node.headers import Header, patient_key
from node.research.studies import Studies


@dataclass(frozen=True)
class _Judged:
    """A study of the patient, and what its marks come to."""

    folder: Folder
    judgement: Judgement
    otherwise: frozenset[str]  # Series Instance UIDs of what is marked by files that are no DICOM objects

    @property
    def is_marked(self) -> bool:
        return bool(self.judgement.counting or self.otherwise)


def images_of(
    row: Row, studies: Studies, settings: Settings, *, model_thickness_mm: float
) -> Images | Missing:
    """Of the study that the table names; where it names none, the only one, the only one with marks, or that of its day."""
    headers = [
        header
        for header in studies.images.get(patient_key(row.patient_id), ())
        if row.study_instance_uid in {"", header.study_instance_uid}
    ]
    if not headers:
        return Missing(
            Reason.NO_IMAGES, "in the study that the table names" if row.study_instance_uid else ""
        )
    judged = [
        _judged(uid, headers, studies, settings) for uid in sorted({h.study_instance_uid for h in headers})
    ]
    marked = [study for study in judged if study.is_marked]
    if not marked:
        why = [finding.detail for study in judged for finding in study.judgement.findings]
        return Missing(
            Reason.NOTHING_MARKED, "; ".join(why) or f"{len(headers)} images, {len(judged)} studies"
        )
    chosen = (
        marked if len(marked) == 1 else [study for study in marked if _is_of_day(study.folder, row.acquired)]
    )
    if len(chosen) != 1:
        return Missing(Reason.SEVERAL_STUDIES, f"{len(marked)} with marks")
    patients = studies.patients[chosen[0].folder.headers[0].study_instance_uid]
    if len(patients) > 1:
        return Missing(Reason.TWO_PATIENTS, f"{len(patients)} patients")
    return _images(chosen[0], studies, settings, model_thickness_mm)


def _judged(study: str, headers: Sequence[Header], studies: Studies, settings: Settings) -> _Judged:
    images = tuple(header for header in headers if header.study_instance_uid == study)
    folder = Folder(images, tuple(studies.annotations.get(study, ())), not_dicom=0)
    return _Judged(folder, judge_annotations(folder, settings), _series_marked(images, studies))


def _is_of_day(folder: Folder, day: date | None) -> bool:
    return day is not None and acquisition(folder.headers[0].path).on == day


def _images(
    study: _Judged, studies: Studies, settings: Settings, model_thickness_mm: float
) -> Images | Missing:
    folder, judgement = study.folder, study.judgement
    judgement = replace(judgement, series=judgement.series | study.otherwise)
    try:
        slices = choose(folder, judgement, settings, model_thickness_mm=model_thickness_mm).slices
    except NotAnalysable as error:
        return Missing(Reason.NO_SERIES, str(error))
    counting = [h for h in folder.annotations if h.sop_instance_uid in judgement.counting]
    marks = Marks(
        objects=tuple(as_file(header) for header in counting),
        boxes=tuple(box for h in slices for box in studies.boxes.get(h.sop_instance_uid, ())),
        readings=tuple(studies.readings.get(slices[0].series_instance_uid, ())),
        listed=tuple(one for h in slices for one in studies.listed.get(h.sop_instance_uid, ())),
    )
    return Images(tuple(header.path for header in slices), marks, _sha256(slices, marks))


def _series_marked(headers: Iterable[Header], studies: Studies) -> frozenset[str]:
    return frozenset(
        header.series_instance_uid
        for header in headers
        if header.sop_instance_uid in studies.boxes
        or header.sop_instance_uid in studies.listed
        or header.series_instance_uid in studies.readings
    )


def _sha256(slices: Sequence[Header], marks: Marks) -> str:
    """Of the marks, and of the images what tells one from another: to read them all would take as long as to use them."""
    digest = hashlib.sha256()
    for header in sorted(slices, key=lambda h: h.sop_instance_uid):
        digest.update(f"{header.sop_instance_uid} {header.path.stat().st_size}\n".encode())
    for file in sorted(marks.objects, key=lambda f: f.sop_instance_uid):
        digest.update(hashlib.sha256(file.path.read_bytes()).digest())
    digest.update(
        repr((sorted(marks.boxes, key=repr), marks.readings, sorted(marks.listed, key=repr))).encode()
    )
    return digest.hexdigest()
