"""The words on a picture: from the analysis alone. Nothing here, in `lettering` or in `render` can see a header."""

from dicom_out.lettering import Caption
from dicom_out.statements import model_statements, percent
from inference.findings import Analysis, ScoredSlice, SlicePolicy

HEADING = "AI RESEARCH"
CARD_DESCRIPTION = f"{HEADING} summary"
WARNING = ("RESEARCH USE ONLY", "NOT FOR DIAGNOSIS")


def caption(analysis: Analysis, scored: ScoredSlice) -> Caption:
    """The words on the picture of one slice."""
    unconfirmed = analysis.slice_policy is SlicePolicy.AUTOMATIC
    status = "unconfirmed target" if unconfirmed else "marked target"
    model = model_statements(analysis)
    if analysis.probability is None or scored.probability is None:
        return Caption(HEADING, "no score", ("no score", status), WARNING, model, legend=False)
    result = (
        f"PIMA probability {percent(analysis.probability)} %",
        f"in this slice {percent(scored.probability)} %",
        f"evidence for {analysis.label}",
        status,
    )
    return Caption(HEADING, f"PIMA {percent(analysis.probability)} %", result, WARNING, model, legend=True)
