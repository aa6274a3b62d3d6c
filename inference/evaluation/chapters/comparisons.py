"""The model against other scores of the same patients: size, number of slices, other models."""

from inference.evaluation.baselines import Baseline
from inference.evaluation.chapters.printed import Cell, area, estimate, p_value
from inference.evaluation.chapters.tables import table
from inference.evaluation.delong import Comparison
from inference.evaluation.estimate import NotComputable
from inference.evaluation.results import Results
from inference.evaluation.rivals import Rival
from inference.evaluation.section import Section

_COLUMNS = ("", "PIMA", "IPN", "AUC", "model's AUC", "difference", "p")
_SIZE = (
    "Size and number of slices differ between the classes by themselves (paper: 5.8 and 2.1 cm); a model "
    "has to rank better than they do to have learned more."
)


def comparisons(results: Results) -> Section:
    tables = [
        table(
            "Baselines, on the patients that have the number; intervals by bootstrap, p by DeLong's paired test",
            _COLUMNS,
            [_baseline(each) for each in results.baselines],
            [
                f"{each.name}: of {each.missing} patients not known."
                for each in results.baselines
                if each.missing
            ],
        )
    ]
    if results.rivals:
        tables.append(
            table(
                "Other models, on the patients that both have scored",
                _COLUMNS,
                [_rival(each) for each in results.rivals],
                [note for each in results.rivals if (note := _left_out(each))],
            )
        )
    return Section("Comparison", (_SIZE,), tuple(tables))


def _baseline(found: Baseline) -> tuple[Cell, ...]:
    sizes = str(found.patients.positive), str(found.patients.negative)
    return (found.name, *sizes, area(found.auc), *_against(found.model_against))


def _rival(found: Rival) -> tuple[Cell, ...]:
    sizes = str(found.shared.positive), str(found.shared.negative)
    return (found.name, *sizes, area(found.auc), *_against(found.model_against))


def _against(comparison: Comparison | NotComputable) -> tuple[Cell, Cell, Cell]:
    if isinstance(comparison, NotComputable):
        return comparison, comparison, comparison
    return f"{comparison.first:.3f}", estimate(comparison.difference), p_value(comparison.p)


def _left_out(found: Rival) -> str:
    if found.only_model + found.only_rival == 0:
        return ""
    return f"{found.name}: {found.only_model} patients scored by the model only, {found.only_rival} by the other only."
