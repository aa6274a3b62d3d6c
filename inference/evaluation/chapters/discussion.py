"""What the figures do not say, and what they were computed with (TRIPOD+AI items 17 to 19 and 25 to 27)."""

from importlib.metadata import version

from inference.evaluation.chapters.introduction import PAPER
from inference.evaluation.chapters.tables import table
from inference.evaluation.results import Results
from inference.evaluation.section import Section
from inference.evaluation.source import Source

LIMITS = (
    (
        "The original study is of a single centre, with one internal split and a small validation set; most IPN have "
        "no histology; one radiologist marked the slices; there is no external validation."
    ),
    "The probabilities are no calibrated clinical risks.",
)
NOT_DONE = (
    "No sample size was calculated.",
    "No external validation beyond what Data says of where the patients are from.",
    "No fairness analysis beyond subgroups by sex and age; ethnicity and social position are not known.",
    "No patients or public were involved.",
    "Nobody read the cases with and without the model: its use by readers was not studied.",
    "How much two annotators differ, and what that does to the score, was not studied.",
    "Subgroups are compared by their intervals only; nothing was corrected for multiple comparisons.",
)
_SOFTWARE = ("sedas-node", "numpy", "scipy", "matplotlib")


def discussion(source: Source, results: Results) -> tuple[Section, ...]:
    flattering = (source.optimistic,) if source.optimistic else ()
    small = results.performance.counts
    few = f"These figures rest on {small.positive} PIMA and {small.negative} IPN."
    return (
        Section("Limits", (*flattering, few, *LIMITS, *source.model.limits)),
        Section("What was not done", NOT_DONE),
        Section(
            "Use and next steps",
            (
                (
                    "The node refuses or abstains from studies whose images do not fit the model, and says why; a "
                    "radiologist marks the slices or confirms the node's candidate. Before any use in care: "
                    "validation on patients of other centres, and a study of readers."
                ),
            ),
        ),
    )


def other_information(source: Source) -> Section:
    model = source.model
    rows = [
        ("model", f"{model.name} {model.version}"),
        ("bundle digest (SHA-256)", model.digest or "not stated"),
        ("threshold", f"{source.threshold:.6g}"),
        ("seed of the bootstrap", str(source.seed)),
        *software().items(),
        ("method", PAPER),
        ("every number", "report.json beside this page"),
    ]
    return Section("Reproduction", (), (table("What these figures were computed with", ("", ""), rows),))


def software() -> dict[str, str]:
    """Versions of what computed and drew the figures."""
    return {name: version(name) for name in _SOFTWARE}
