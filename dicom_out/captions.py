"""The words on a picture: from the analysis alone. Nothing here, in `lettering` or in `render` can see a header."""

from dicom_out.lettering import Caption
from dicom_out.statements import model_statements, percent
from inference.findings import Analysis, ScoredSlice, SlicePolicy

HEADING = "AI RESEARCH"
CARD_DESCRIPTION = f"{HEADING} summary"
WARNING = ("RESEARCH USE ONLY", "NOT FOR DIAGNOSIS")


def caption(analysis: Analysis, scored: ScoredSlice) -> Caption:
    """The words on the picture of one slice."""
    model = model_statements(analysis)
    if analysis.probability is None or scored.probability is None:
        result = ("no score", *_image(scored), _target(analysis, scored))
        return Caption(HEADING, "no score", result, WARNING, model, legend=False)
    where = next((f"{image}:" for image in _image(scored)), "in this slice")
    result = (
        f"PIMA probability {percent(analysis.probability)} %",
        f"{where} {percent(scored.probability)} %",
        f"evidence for {analysis.label}",
        _target(analysis, scored),
    )
    return Caption(HEADING, f"PIMA {percent(analysis.probability)} %", result, WARNING, model, legend=True)


def _image(scored: ScoredSlice) -> tuple[str, ...]:
    """The number that a viewer shows beside the source slice, if it has one."""
    return () if scored.instance_number is None else (f"image {scored.instance_number}",)


def _target(analysis: Analysis, scored: ScoredSlice) -> str:
    """What the target is; `render` draws its outline where the slice has an extent of it."""
    return f"cyan: {target_status(analysis)}" if scored.lesion.any() else target_status(analysis)


def target_status(analysis: Analysis) -> str:
    """Whose the target is."""
    return "unconfirmed target" if analysis.slice_policy is SlicePolicy.AUTOMATIC else "marked target"
