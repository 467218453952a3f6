"""The table of results on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.cli.fast_tables import Column, print_columns
from orchestrator.cli.results_formats import (
    TO_THE_BEST,
    is_of_single_runs,
    shown_cell,
    shown_difference,
    shown_runs,
)
from orchestrator.cli.results_notes import notes_on_table, warnings_of
from orchestrator.cli.table_columns import (
    NOTE_WIDTH,
    first_column,
    fit_axes,
    fit_columns,
)
from orchestrator.cli.tables import note, tell_left_out
from orchestrator.grid.identity import SHORT_ID_DIGITS, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from orchestrator.planning.paired_difference import PairedDifference
    from orchestrator.planning.results_table import ResultsTable


def print_comparison(
    compared: ResultsTable,
    differences: Sequence[PairedDifference | None] | None,
    console: Console,
    *,
    step: int | None = None,
) -> None:
    """Print one row per group of runs that differ only in the keys averaged over.

    Args:
        compared: The table.
        differences: The difference of each row to the best one; None: not asked for.
        console: The console.
        step: The iteration of the metrics; None: the end.
    """
    texts = _texts_of_metrics(compared)
    counts = shown_runs(compared)
    single = is_of_single_runs(compared)
    shown = [shown_difference(each) for each in differences or ()]
    taken = max(map(len, ("state", *counts))) + (2 + SHORT_ID_DIGITS if single else 0)
    taken += 2 + max(map(len, (TO_THE_BEST, *shown))) if shown else 0
    notes = _notes_of(compared) if single else []
    taken += NOTE_WIDTH if notes else 0
    all_axes = [row.overrides for row in compared.rows]
    fitted = fit_axes(all_axes, compared.axes, taken + first_column(texts, console), console)
    metrics = fit_columns(texts, taken + fitted.width, console)
    rows = compared.rows
    columns = [
        Column("run", [short(row.members[0][1].run_id) for row in rows]) if single else None,
        *(
            Column(header, fitted.texts_of(axis, all_axes))
            for header, axis in zip(fitted.headers, fitted.widths, strict=True)
        ),
        Column(
            "state" if single else "runs",
            counts,
            ["" if row.runs == row.with_results else "yellow" for row in rows],
        ),
        *(Column(key, [shown_cell(row.cells.get(key)) for row in rows]) for key in metrics),
        Column(TO_THE_BEST, shown) if shown else None,
        Column("note", notes, "dim") if notes else None,
    ]
    print_columns([*filter(None, columns)], console)
    tell_left_out(fitted.left_out, len(texts) - len(metrics), console)
    for told in notes_on_table(compared, differences, step):
        console.print(note(told))
    for warning in warnings_of(compared):
        console.print(Text(warning, style="yellow"))


def _texts_of_metrics(compared: ResultsTable) -> dict[str, list[str]]:
    """Return the cells of each metric."""
    return {
        key: [shown_cell(row.cells[key]) for row in compared.rows if key in row.cells]
        for key in compared.metrics
    }


def _notes_of(compared: ResultsTable) -> list[str]:
    """Return what is noted of single runs; an empty list if nothing is."""
    notes = [str(row.members[0][1].note) for row in compared.rows]
    return notes if any(notes) else []
