"""How the figures came about (TRIPOD+AI items 5 to 16)."""

from collections import Counter

from inference.evaluation.aspects import CONFIRMED
from inference.evaluation.calibration import BINS
from inference.evaluation.discrimination import RESAMPLES
from inference.evaluation.section import Section
from inference.evaluation.source import Source


def methods(source: Source) -> tuple[Section, ...]:
    return (
        Section("Data", (source.data, _dates(source))),
        Section(
            "Participants",
            (
                (
                    "All patients that the data hold for this evaluation; who was left out before, and why, is in "
                    "the flow under Results where it was recorded. What the patients were treated with is not known."
                ),
            ),
        ),
        Section("Outcome", (_outcome(source),)),
        Section(
            "Predictors",
            (
                (
                    "Images only: the CT slices that show the target nodule. No clinical variable enters the "
                    "probability. Age, sex, size and the like describe the patients and form subgroups."
                ),
            ),
        ),
        Section(
            "Sample size and missing data",
            (
                (
                    "The sample is what there was; no sample size was calculated. A patient without a probability "
                    "is counted and in no figure of performance. A patient of whom a characteristic is not known "
                    "is left out of the subgroups and tests by it, and counted there. Nothing is imputed."
                ),
            ),
        ),
        Section("Preprocessing", (source.model.preprocessing or "Not stated by the model's bundle.",)),
        _model(source),
        _statistics(),
    )


def _dates(source: Source) -> str:
    dates = sorted(s.month or str(s.year) for s in source.subjects if s.month or s.year)
    if not dates:
        return "When the CTs were acquired is not stated."
    return f"Acquired from {dates[0]} to {dates[-1]} ({len(dates)} of {len(source.subjects)} patients dated)."


def _outcome(source: Source) -> str:
    confirmed = Counter(CONFIRMED.group(subject) or "not stated" for subject in source.subjects)
    ways = ", ".join(f"{way} {patients}" for way, patients in sorted(confirmed.items()))
    return (
        "PIMA (positive) or IPN (negative), as the data label each patient. "
        f"How it was confirmed, in patients: {ways or 'nobody'}. Whether those who labelled knew the "
        "model's result is not recorded."
    )


def _model(source: Source) -> Section:
    model = source.model
    return Section(
        "Model",
        (
            (
                f"{model.name} {model.version}, bundle {model.digest or 'without a digest'}. "
                f"Training data: {model.training_data or 'not stated'}"
            ),
            (
                "The patient's probability is the mean over the scored slices, recalibrated where the bundle says "
                f"how. From {source.threshold:.3g} up a patient reads PIMA."
            ),
        ),
    )


def _statistics() -> Section:
    return Section(
        "Statistics",
        (
            (
                f"All of patients unless slices are named. AUC by Mann-Whitney, with the percentile interval of "
                f"{RESAMPLES:,} resamples of patients and with DeLong's. Accuracy, sensitivity, specificity and "
                f"predictive values with Wilson's intervals; F1 and Brier score with percentile intervals of "
                f"{RESAMPLES:,} resamples. Predictive values hold for the share of PIMA in these data only."
            ),
            (
                f"Calibration in {BINS} quantile bins with Wilson's intervals, and by logistic recalibration: slope, "
                "and intercept with the slope held at 1, with Wald's intervals. Decision curve of the net benefit."
            ),
            (
                "Models and baselines are compared by DeLong's paired test on the patients that both have scored. "
                "The cohort table has medians with quartiles and Mann-Whitney's U, and counts with the chi-square "
                "test, or Fisher's where fewer than 5 patients are expected in a cell. Tests are two-sided; nothing "
                "is corrected for their number. The subgroups of a report are fixed beforehand: size below and from 30 mm, "
                "age below and from 65 years, period, sex, site, scanner, kernel, slice thickness, hard cases."
            ),
        ),
    )
