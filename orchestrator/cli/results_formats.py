"""The table of results in formats for other programs: CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from typing import TYPE_CHECKING, Final, TypeAlias

from orchestrator.cli.table_columns import cell_of, digits_by_axis, metric_cell
from orchestrator.grid.config_values import label_of
from orchestrator.grid.identity import short
from orchestrator.rundir.records import as_metric
from orchestrator.rundir.state import State
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from orchestrator.planning.paired_difference import PairedDifference
    from orchestrator.planning.results_table import Cell, ResultsTable, Row

TO_THE_BEST: Final = "to the best"  # the header of the differences
_LATEX: Final[Mapping[str, str]] = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


_Differences: TypeAlias = "Sequence[PairedDifference | None] | None"  # None: not asked for


def csv_of(compared: ResultsTable, differences: _Differences = None) -> str:
    """Return two columns per metric, mean and standard deviation, unrounded.

    One that some of the runs with results lack has a third one: the number of runs that have it.

    Differences are three columns: the mean, half the width of its interval, and the pairs behind it.
    A metric with the name of another column gets ``metric.`` in front, and an axis ``config.``, as in ``orch.load``.
    """
    partial = {metric for metric in compared.metrics if compared.is_partial(metric)}
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    names = ["run_id", "path"] if not compared.over and is_of_single_runs(compared) else []
    parts = ("", "_half_width", "_pairs") if differences else ()
    counted = ["runs", "with_results", "states"]
    best = [f"to_the_best{part}" for part in parts]
    columns = _metric_columns(compared.metrics, partial, {*names, *counted, *best})
    axes = _axis_columns(compared.axes, {*names, *counted, *columns, *best})
    writer.writerow([*names, *axes, *counted, *columns, *best])
    for at, row in enumerate(compared.rows):
        shown: list[object] = []
        for metric in compared.metrics:
            cell = row.cells.get(metric)
            shown += [as_metric(cell.mean), _if_known(cell.std)] if cell else ["", ""]
            shown += [cell.runs if cell else 0] if metric in partial else []
        shown += _plain_difference(differences[at]) if differences else []
        run = row.members[0][1]
        values = [
            _plain(row.overrides[axis]) if axis in row.overrides else "" for axis in compared.axes
        ]
        place = [run.run_id, run.path] if names else []
        counts = (
            row.runs,
            row.with_results,
            _listed({each.value: count for each, count in row.states.items()}),
        )
        writer.writerow([*place, *values, *counts, *shown])
    return content.getvalue()


def _axis_columns(axes: Sequence[str], taken: Collection[str]) -> list[str]:
    columns = [axis for axis in axes if axis not in taken]
    for place, axis in enumerate(axes):
        name = axis
        while name in taken or (name != axis and name in columns):
            name = f"config.{name}"
        if name != axis:
            columns.insert(place, name)
    return columns


def _metric_columns(
    metrics: Sequence[str], partial: Collection[str], taken: Collection[str]
) -> list[str]:
    """Return the headers of the columns of metrics, none of them taken, nor one twice."""
    columns: dict[str, list[str]] = {}
    # The shorter name first, so that what follows from it is not left to the order of the metrics.
    for metric in sorted(metrics, key=lambda it: (len(it), it)):
        name, parts = metric, ("", "_std", *(["_runs"] if metric in partial else []))
        known = {*taken, *(each for headers in columns.values() for each in headers)}
        while any(f"{name}{part}" in known for part in parts):
            name = f"metric.{name}"
        columns[metric] = [f"{name}{part}" for part in parts]
    return [header for metric in metrics for header in columns[metric]]


def markdown_of(
    compared: ResultsTable, differences: _Differences = None, notes: Sequence[str] = ()
) -> str:
    """Return a table in GitHub's Markdown, and a paragraph per note."""
    headers, rows = _texts(compared, differences, " ± ")
    lines = [headers, ["---"] * len(headers), *rows]
    table = "".join(f"| {' | '.join(map(_as_markdown, line))} |\n" for line in lines)
    return table + "".join(f"\n{_as_markdown(printable(note))}\n" for note in notes)


def latex_of(
    compared: ResultsTable, differences: _Differences = None, notes: Sequence[str] = ()
) -> str:
    """Return a ``tabular`` with the rules of the package booktabs, below the notes as comments."""
    headers, rows = _texts(compared, differences, r" $\pm$ ", _as_latex)
    body = "".join(f"{' & '.join(row)} \\\\\n" for row in rows)
    head = " & ".join(headers)
    names = len(compared.axes) + 2 * is_of_single_runs(compared)
    form = "l" * names + "r" * (len(headers) - names)
    return "".join(f"% {printable(note)}\n" for note in notes) + (
        f"\\begin{{tabular}}{{{form}}}\n\\toprule\n{head} \\\\\n\\midrule\n{body}\\bottomrule\n"
        "\\end{tabular}\n"
    )


def is_of_single_runs(compared: ResultsTable) -> bool:
    """Return whether each row is one run: tables then show its ID and its state."""
    return all(row.runs == 1 for row in compared.rows)


def shown_runs(compared: ResultsTable) -> list[str]:
    """Return the runs of each row as tables show them: the state of a single run, or how many are done.

    With the states of those that are not.
    """
    if is_of_single_runs(compared):
        return [word for row in compared.rows for word in row.words]
    return [_shown_count(row) for row in compared.rows]


def _shown_count(row: Row) -> str:
    open_runs = {word: count for word, count in row.words.items() if word != State.DONE.value}
    if not open_runs and row.runs == row.with_results:
        return str(row.runs)
    listed = [_listed(open_runs)] if open_runs else []
    return ", ".join([f"{row.with_results} of {row.runs}", *listed])


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {word}" for word, number in counts.items())


def shown_cell(cell: Cell | None, plus_minus: str = " ± ") -> str:
    """Return a metric as tables show it: the mean, and the standard deviation if there is one.

    Also of how many runs, if some with results lack it.
    """
    if cell is None:
        return "-"
    behind = f", {cell.runs} of {cell.of}" if cell.is_partial else ""
    if cell.std is None or math.isnan(cell.std):  # of a mean that is NaN or infinite
        return f"{metric_cell(float(cell.mean))}{behind}"
    return f"{cell.mean:.4g}{plus_minus}{cell.std:.2g}{behind}"


def shown_difference(difference: PairedDifference | None, plus_minus: str = " ± ") -> str:
    """Return a difference to the best row as tables show it, with its pairs if some do not count."""
    if difference is None:
        return "-"
    if not difference.pairs:
        return f"0 of {difference.common}"
    told = f"{difference.mean:+.3g}"
    if difference.half_width is not None:
        told += f"{plus_minus}{difference.half_width:.2g}"
    if difference.pairs < difference.common:
        told += f", {difference.pairs} of {difference.common}"
    return told


def _plain_difference(difference: PairedDifference | None) -> list[object]:
    if difference is None:
        return ["", "", ""]
    mean = as_metric(difference.mean) if difference.pairs else ""
    return [mean, _if_known(difference.half_width), difference.pairs]


def _texts(
    compared: ResultsTable,
    differences: _Differences,
    plus_minus: str,
    escape: Callable[[str], str] = printable,
) -> tuple[list[str], list[list[str]]]:
    """Return the headers and the rows as strings."""
    more = [TO_THE_BEST] if differences else []
    single = is_of_single_runs(compared)
    named = (*(["run"] if single else []), *compared.axes, "state" if single else "runs")
    headers = [escape(name) for name in (*named, *compared.metrics, *more)]
    counts = shown_runs(compared)
    digits = digits_by_axis([row.overrides for row in compared.rows], compared.axes)
    rows = [
        [
            *([short(row.members[0][1].run_id)] if single else []),
            *(
                escape(cell_of(row.overrides[axis], digits[axis]) if axis in row.overrides else "")
                for axis in compared.axes
            ),
            counts[at],
            *(shown_cell(row.cells.get(metric), plus_minus) for metric in compared.metrics),
            *(shown_difference(each, plus_minus) for each in (differences or ())[at : at + 1]),
        ]
        for at, row in enumerate(compared.rows)
    ]
    return headers, rows


def _as_markdown(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|")


def _as_latex(text: str) -> str:
    return re.sub(r"[\\~^&%$#_{}]", lambda found: _LATEX[found[0]], printable(text))


def _plain(value: object) -> object:
    """Return a value as JSON, but a string that looks like no other value without quotes."""
    return json.dumps(value) if not isinstance(value, str) or label_of(value) != value else value


def _if_known(std: float | None) -> object:
    return "" if std is None or math.isnan(std) else std
