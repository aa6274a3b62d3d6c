"""The sentences that results carry, in ASCII so that they are the same in every character set."""

import unicodedata
from collections.abc import Iterable

from inference.findings import AlgorithmIdentity, Analysis, Position, SlicePolicy

DISCLAIMER = (
    "RESEARCH USE ONLY. Output of an unapproved AI model that separates pulmonary invasive mucinous adenocarcinoma "
    "(PIMA) from inflammatory pulmonary nodule (IPN) on CT slices. Not a diagnosis. Not verified by a physician. "
    "Do not use for patient management."
)
QUESTION = "Is the target lesion pulmonary invasive mucinous adenocarcinoma (PIMA) or an inflammatory pulmonary nodule (IPN)?"
STEADINESS = "Spread over the slices and shift under mirroring say how steady the model is, not how likely it is to be right."
NOT_REVIEWED = "Automated result, not reviewed"
WITHDRAWN = "These results of a research AI model are withdrawn by the system that made them. Do not use them, nor copies of them."

LIMITATIONS = (
    "The method was published from a single centre with one internal split and a small validation set.",
    "Most inflammatory nodules there had no histology, and one annotator marked the slices.",
    "The method has no external validation.",
    "The probabilities are not calibrated clinical risks.",
)

_SELECTION = {
    SlicePolicy.ANNOTATED: "The target was marked in the study before the analysis; only slices that show it are scored.",
    SlicePolicy.AUTOMATIC: "The target is an unconfirmed automatic candidate: nobody has marked or reviewed it.",
    SlicePolicy.NONE: "No target was found; no probability is given.",
}
_ABSTAINED = "Not assessed: the input does not allow it; no class and no probability is given."
_CANDIDATES_ONLY = "Candidates only: this result says where to look; no class and no probability is given."


def selection(analysis: Analysis) -> tuple[str, ...]:
    """How the slices were found and, where there is no score, why."""
    how = _SELECTION[analysis.slice_policy]
    if analysis.abstained_for:
        return (how, _ABSTAINED)
    withheld = analysis.probability is None and analysis.slice_policy is not SlicePolicy.NONE
    return (how, _CANDIDATES_ONLY) if withheld else (how,)


def model_statements(analysis: Analysis) -> tuple[str, ...]:
    """What every output made with these models must say, each sentence once."""
    said = (*analysis.classifier.statements, *analysis.segmenter.statements)
    return tuple(dict.fromkeys(ascii_text(sentence) for sentence in said))


def caution(analysis: Analysis) -> str:
    """What an object without room for single statements says in one text."""
    return " ".join((DISCLAIMER, *selection(analysis), *model_statements(analysis)))


def build(algorithm: AlgorithmIdentity) -> tuple[str, ...]:
    """Which weights exactly; nothing for an algorithm that has none."""
    return (ascii_text(f"model digest sha256:{algorithm.digest}"),) if algorithm.digest else ()


def position(position_mm: Position) -> str:
    x, y, z = (round(component, 1) + 0.0 for component in position_mm)  # + 0.0: no minus zero
    return f"x {x:.1f} mm, y {y:.1f} mm, z {z:.1f} mm (towards left, posterior, head)"


def in_sentences(parts: Iterable[str]) -> str:
    """One text of them, each with one full stop at its end."""
    return " ".join(f"{part.rstrip('. ')}." for part in parts)


def percent(fraction: float) -> str:
    return f"{100.0 * fraction:.2f}"


def ascii_text(text: str) -> str:
    """Other people's words (model names, kernels): accents taken off, any other character a question mark."""
    letters = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return "".join(letters).encode("ascii", "replace").decode()
