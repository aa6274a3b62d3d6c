"""Who was evaluated (TRIPOD+AI item 20)."""

from collections.abc import Iterator, Sequence

from inference.evaluation.by_class import ByClass
from inference.evaluation.chapters.printed import Cell, p_value, share
from inference.evaluation.chapters.tables import table
from inference.evaluation.characteristics import Categorical, Measured
from inference.evaluation.cohort import Difference, Quartiles
from inference.evaluation.estimate import NotComputable
from inference.evaluation.flow_chart import flow_svg
from inference.evaluation.results import Results
from inference.evaluation.section import Figure, Section, Table
from inference.evaluation.source import Source

_NO_FLOW = "Who was screened and left out before is not recorded."


def participants(source: Source, results: Results) -> tuple[Section, ...]:
    chart = (Figure("From the patients screened to each part", flow_svg(source.flow)),) if source.flow else ()
    said = (_counted(results),) if chart else (_counted(results), _NO_FLOW)
    return (
        Section("Flow of patients", said, (), chart),
        Section("Characteristics", (), (_cohort(results),)),
    )


def _counted(results: Results) -> str:
    everybody, abstained = results.patients, results.abstained
    return (
        f"{everybody.both} patients: {everybody.positive} PIMA, {everybody.negative} IPN. "
        f"{abstained.both} have no probability ({abstained.positive} PIMA, {abstained.negative} IPN): "
        "they are in the table of characteristics and in no other figure."
    )


def _cohort(results: Results) -> Table:
    of_each: tuple[Measured | Categorical, ...] = (*results.cohort.measured, *results.cohort.categorical)
    patients = results.patients
    return table(
        "Median (quartiles) or patients (share); missing as PIMA / IPN",
        ("", f"PIMA (n = {patients.positive})", f"IPN (n = {patients.negative})", "missing", "p"),
        (row for each in of_each for row in _rows(each, patients)),
        tuple(_tests(of_each)),
    )


def _tests(of_each: Sequence[Measured | Categorical]) -> Iterator[str]:
    """Which test gave which p."""
    tested = [
        (each.difference.method, each.name) for each in of_each if isinstance(each.difference, Difference)
    ]
    for method in dict.fromkeys(method for method, _ in tested):
        yield f"{method}: {'; '.join(name for by, name in tested if by == method)}."


def _rows(characteristic: Measured | Categorical, patients: ByClass) -> Iterator[tuple[Cell, ...]]:
    missing = characteristic.missing
    lost = f"{missing.positive} / {missing.negative}" if missing.both else "0"
    end = (lost, _p(characteristic.difference))
    if isinstance(characteristic, Measured):
        yield (
            characteristic.name,
            _quartiles(characteristic.positive),
            _quartiles(characteristic.negative),
            *end,
        )
        return
    yield characteristic.name, "", "", *end
    for category in characteristic.categories:
        both = category.patients
        known = patients.positive - missing.positive, patients.negative - missing.negative
        shares = share(both.positive, known[0]), share(both.negative, known[1])
        yield f"\u2003{category.name}", *shares, "", ""


def _quartiles(values: Quartiles | NotComputable) -> Cell:
    if isinstance(values, NotComputable):
        return values
    digits = 0 if values.median >= 1000 else 1
    return f"{values.median:.{digits}f} ({values.low:.{digits}f} to {values.high:.{digits}f})"


def _p(difference: Difference | NotComputable) -> Cell:
    return difference if isinstance(difference, NotComputable) else p_value(difference.p)
