"""The items of TRIPOD+AI (Collins et al., BMJ 2024;385:e078378), and where in the report each is."""

from collections.abc import Iterator
from dataclasses import dataclass

from inference.evaluation.chapters.tables import table
from inference.evaluation.section import Section
from inference.evaluation.source import Source


@dataclass(frozen=True)
class Item:
    number: str
    topic: str
    where: str = ""  # a heading of the report; empty: not done
    remark: str = ""  # what is missing, and why


def checklist(source: Source) -> Section:
    rows = ((each.number, each.topic, each.where or "not done", each.remark) for each in items(source))
    return Section(
        "TRIPOD+AI checklist",
        ("For an evaluation of an existing model. Items of development refer to the model's own bundle.",),
        (table("Items of TRIPOD+AI 2024", ("item", "topic", "where", "what is missing"), rows),),
    )


def items(source: Source) -> Iterator[Item]:
    yield from _introduction()
    yield from _data(source)
    yield from _analysis(source)
    yield from _open_science(source)
    yield from _results(source)
    yield from _discussion()


def _introduction() -> Iterator[Item]:
    yield Item("1", "title", "Title", "as given by whoever made the report")
    yield Item("2", "abstract", "Abstract")
    yield Item("3a", "healthcare context, existing models", "Background", "other models are not reviewed")
    yield Item("3b", "target population, intended purpose and users", "Intended use")
    yield Item("3c", "known health inequalities", remark="nothing is known of them for this task")
    yield Item("4", "objectives", "Objectives")


def _data(source: Source) -> Iterator[Item]:
    dated = any(subject.month or subject.year for subject in source.subjects)
    yield Item("5a", "sources of data", "Data", "how representative they are is not analysed")
    yield Item("5b", "dates of the data", "Data", "" if dated else "not stated in the data")
    yield Item("6a", "setting and centres", "Characteristics", "sites by name only")
    flow = "" if source.flow else "the selection is not recorded"
    yield Item("6b", "eligibility criteria", "Flow of patients", flow)
    yield Item("6c", "treatments", remark="not recorded")
    preparation = "" if source.model.preprocessing else "not stated by the bundle"
    yield Item("7", "data preparation", "Preprocessing", preparation)
    yield Item(
        "8a", "outcome, and how it is assessed", "Outcome", "the time from CT to outcome is not recorded"
    )
    yield Item("8b", "assessors of the outcome", remark="not recorded")
    yield Item("8c", "blinding of the outcome's assessment", "Outcome", "not recorded")
    yield Item("9a", "choice of predictors", "Predictors")
    yield Item("9b", "definition of predictors", "Predictors")
    yield Item(
        "9c",
        "assessors of predictors",
        remark="who marked the slices is not recorded; the kind of mark may stand under Data",
    )


def _analysis(source: Source) -> Iterator[Item]:
    training = "" if source.model.training_data else "training data not stated"
    yield Item("10", "sample size", "Sample size and missing data", "not calculated: all patients there were")
    yield Item("11", "missing data", "Sample size and missing data")
    yield Item(
        "12a", "use and partition of the data", "Flow of patients", "" if source.flow else "not recorded"
    )
    yield Item("12b", "handling of predictors", "Preprocessing")
    yield Item("12c", "type of model, building, internal validation", "Model", training)
    yield Item("12d", "heterogeneity between clusters", "Subgroups", "by site and scanner, not modelled")
    yield Item("12e", "measures and plots of performance", "Statistics")
    yield Item("12f", "model updating", remark="the model was taken as it is")
    yield Item("12g", "how predictions were calculated", "Model")
    yield Item(
        "13", "class imbalance", "Statistics", "predictive values are of these shares; nothing resampled"
    )
    yield Item("14", "fairness", "Subgroups", "by sex and age only")
    yield Item("15", "output of the model and its threshold", "Model")
    yield Item("16", "training against evaluation data", "Model", "not compared in numbers")


def _open_science(source: Source) -> Iterator[Item]:
    yield Item("17", "ethical approval", remark="for the site to state")
    yield Item("18a", "funding", remark="for the site to state")
    yield Item("18b", "conflicts of interest", remark="for the site to state")
    yield Item("18c", "protocol", remark="none is known to this software")
    yield Item("18d", "registration", remark="none is known to this software")
    yield Item(
        "18e", "data sharing", "Reproduction", f"scores under {source.names} in report.json; no images"
    )
    yield Item("18f", "code sharing", "Reproduction")
    yield Item("19", "patient and public involvement", remark="nobody was involved")


def _results(source: Source) -> Iterator[Item]:
    yield Item("20a", "flow of participants", "Flow of patients", "" if source.flow else "not recorded")
    yield Item("20b", "characteristics", "Characteristics")
    yield Item(
        "20c", "comparison with the development data", remark="its characteristics are not in the bundle"
    )
    yield Item("21", "participants and outcomes in each analysis", "Performance")
    yield Item("22", "specification of the model", "Reproduction", "the bundle with this digest holds it")
    yield Item("23a", "performance with intervals, subgroups", "Performance")
    yield Item("23b", "heterogeneity of performance", "Subgroups", "described, not modelled")
    yield Item("24", "results of updating", remark="the model was not updated")


def _discussion() -> Iterator[Item]:
    yield Item("25", "interpretation, fairness included", remark="left to the reader")
    yield Item("26", "limitations", "Limits")
    yield Item("27a", "poor or unavailable input", "Use and next steps")
    yield Item("27b", "interaction and expertise needed", "Use and next steps")
    yield Item(
        "27c",
        "next steps, generalisability",
        "Use and next steps",
        "no external validation beyond these data",
    )
