"""Which series of a patient a dataset takes, and the marks in it: the service's own choice, as for a folder."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

from config.settings import Settings
from inference.dataset.marks import Marks
from inference.dataset.sources import Images, Missing, Reason
from inference.dataset.table import Row
from node.annotations import as_file
from node.choice import NotAnalysable
from node.folder import Folder, choose, judge_annotations
from node.headers import Header, patient_key
from node.research.studies import Studies


def images_of(
    row: Row, studies: Studies, settings: Settings, *, model_thickness_mm: float
) -> Images | Missing:
    """Of the study that the table names; where it names none, the only one, or the only one with marks."""
    headers = [
        header
        for header in studies.images.get(patient_key(row.patient_id), ())
        if row.study_instance_uid in {"", header.study_instance_uid}
    ]
    if not headers:
        return Missing(
            Reason.NO_IMAGES, "in the study that the table names" if row.study_instance_uid else ""
        )
    folders = [_folder(uid, headers, studies) for uid in sorted({h.study_instance_uid for h in headers})]
    marked = [folder for folder in folders if _is_marked(folder, studies)]
    if not marked:
        return Missing(Reason.NOTHING_MARKED, f"{len(headers)} images, {len(folders)} studies")
    if len(marked) > 1:
        return Missing(Reason.SEVERAL_STUDIES, f"{len(marked)} with marks")
    return _images(marked[0], studies, settings, model_thickness_mm)


def _folder(study: str, headers: Sequence[Header], studies: Studies) -> Folder:
    images = tuple(header for header in headers if header.study_instance_uid == study)
    return Folder(images, tuple(studies.annotations.get(study, ())), not_dicom=0)


def _is_marked(folder: Folder, studies: Studies) -> bool:
    return bool(folder.annotations or _series_marked(folder.headers, studies))


def _images(
    folder: Folder, studies: Studies, settings: Settings, model_thickness_mm: float
) -> Images | Missing:
    judgement = judge_annotations(folder, settings)
    counting = [h for h in folder.annotations if h.sop_instance_uid in judgement.counting]
    elsewhere = _series_marked(folder.headers, studies)
    if not (counting or elsewhere):
        return Missing(Reason.NOTHING_MARKED, "; ".join(finding.detail for finding in judgement.findings))
    judgement = replace(judgement, series=judgement.series | elsewhere)
    try:
        slices = choose(folder, judgement, settings, model_thickness_mm=model_thickness_mm).slices
    except NotAnalysable as error:
        return Missing(Reason.NO_SERIES, str(error))
    marks = Marks(
        objects=tuple(as_file(header) for header in counting),
        boxes=tuple(box for h in slices for box in studies.boxes.get(h.sop_instance_uid, ())),
        readings=tuple(studies.readings.get(slices[0].series_instance_uid, ())),
        listed=tuple(one for h in slices for one in studies.listed.get(h.sop_instance_uid, ())),
    )
    return Images(tuple(header.path for header in slices), marks, _sha256(slices, marks))


def _series_marked(headers: Iterable[Header], studies: Studies) -> frozenset[str]:
    """By marks that are no DICOM objects."""
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
