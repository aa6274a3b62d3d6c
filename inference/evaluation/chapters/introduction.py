"""Abstract, background and intended use (TRIPOD+AI items 1 to 4)."""

from inference.evaluation.chapters.printed import area, estimate, matrix_in_words, sentence
from inference.evaluation.results import Results
from inference.evaluation.section import Section
from inference.evaluation.source import Source

PAPER = (
    "Xie J, Wang S, Cheng J, Wei Q, Yang H, Yao F. Transl Lung Cancer Res 2026;15(6):169. "
    "doi 10.21037/tlcr-2026-1-0205"
)


def abstract(source: Source, results: Results) -> Section:
    found = results.performance
    counts = found.counts
    return Section(
        "Abstract",
        (
            (
                f"Objective. To evaluate {source.model.name} {source.model.version}, which tells pulmonary invasive "
                "mucinous adenocarcinoma (PIMA) from inflammatory pulmonary nodules (IPN) on non-contrast chest CT."
            ),
            f"Methods. {source.data} Figures are of patients; intervals are of 95 %.",
            (
                f"Results. Of {results.patients.both} patients ({results.patients.positive} PIMA, "
                f"{results.patients.negative} IPN), {counts.patients} had a probability. "
                f"AUC {sentence(area(found.auc))}; with the threshold {source.threshold:.3g}, "
                f"{matrix_in_words(counts)}: sensitivity {sentence(estimate(found.sensitivity))}, specificity "
                f"{sentence(estimate(found.specificity))}. Brier score {sentence(estimate(found.brier))}."
            ),
            (
                f"Limits. {source.optimistic or 'See Limits below.'} The result is research decision support and "
                "no diagnosis."
            ),
        ),
    )


def introduction(source: Source) -> tuple[Section, ...]:
    return (
        Section(
            "Background",
            (
                (
                    "On CT, PIMA as a nodule or mass resembles benign inflammation, and the certain diagnosis needs "
                    "tissue. The method evaluated here scores the CT slices that show the nodule with a residual "
                    f"network (SE-DAS ResNet) and pools them to one probability per patient ({PAPER})."
                ),
            ),
        ),
        Section(
            "Intended use",
            (
                (
                    "Research decision support for radiologists and research groups, after their own reading of a "
                    "chest CT of an adult with a solid or mostly solid nodule or mass. No diagnosis, no triage, no "
                    "ground for treatment. The probability is no calibrated clinical risk."
                ),
            ),
        ),
        Section(
            "Objectives",
            (
                f"To evaluate the discrimination, calibration and clinical usefulness of {source.model.name} "
                f"{source.model.version}; to compare it with size and number of slices alone"
                + (f" and with {', '.join(source.rivals)}." if source.rivals else ".")
                + " This is an evaluation of a given model, no development of one.",
            ),
        ),
    )
