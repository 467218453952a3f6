"""``orch results``: the metrics of an experiment by axis, as a table or in a format for other programs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from rich.text import Text

from orchestrator.cli.absent_runs import no_runs_in
from orchestrator.cli.json_text import write_json
from orchestrator.cli.next_command import next_command
from orchestrator.cli.results_formats import csv_of, latex_of, markdown_of
from orchestrator.cli.results_notes import notes_on_table, warnings_of
from orchestrator.cli.results_output import print_comparison
from orchestrator.cli.runs_for_results import choose_compared_runs, compare_as_asked
from orchestrator.cli.safe_output import write
from orchestrator.cli.tables import count_of, note, pronoun_of
from orchestrator.errors import UsageError
from orchestrator.planning.mixed_code import describe_mixed_code
from orchestrator.planning.paired_difference import paired_differences
from orchestrator.planning.results_json import results_as_json
from orchestrator.planning.results_table import choose_columns
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rich.console import Console

    from orchestrator.cli.runs_for_results import ComparedRuns
    from orchestrator.planning.paired_difference import PairedDifference
    from orchestrator.planning.results_table import ResultsTable

_FORMATS: Final = ("json", "csv", "markdown", "latex")


def results(options: argparse.Namespace, console: Console) -> int:
    """Print one row per group of runs that differ only in their seed, the best first.

    Raises:
        UsageError: There is no such axis or metric, or two formats are requested.
        OrchestratorError: The config, the grid, or the condition is wrong.
    """
    requested = [name for name in _FORMATS if getattr(options, name)]
    if len(requested) > 1:
        both = " and ".join(f"--{name}" for name in requested)
        raise UsageError(f"{both} exclude each other: they are formats. Choose one.")
    found = choose_compared_runs(options)
    compared = compare_as_asked(found, options)
    if options.columns:
        compared = choose_columns(compared, options.columns.split(","))
    if options.top is not None:
        compared = replace(compared, rows=compared.rows[: options.top])
    differences = paired_differences(compared) if options.difference else None
    if options.json:
        told = results_as_json(compared, differences, step=found.step)
        write_json(console, told, indent=2)
    elif options.csv:
        write(console, csv_of(compared, differences))
    elif options.markdown or options.latex:
        notes = [*notes_on_table(compared, differences, found.step), *warnings_of(compared)]
        form = markdown_of if options.markdown else latex_of
        write(console, form(compared, differences, notes))
    else:
        _print(compared, differences, found, options, console)
    return 0


def _print(
    compared: ResultsTable,
    differences: Sequence[PairedDifference | None] | None,
    found: ComparedRuns,
    options: argparse.Namespace,
    console: Console,
) -> None:
    """Print the table, or why there is none, and how many runs it leaves out."""
    if found.is_pending:
        if not found.others:
            told = f"{no_runs_in(found.experiment)}. Start them with orch run."
            console.print(told)
            return
        others = count_of(found.others, "other run")
        console.print(
            f"No run of this grid has started. To compare the {others} of the experiment:"
        )
        write(console, f"  {next_command(options, 'results', '--all')}\n")
        return
    print_comparison(compared, differences, console, step=found.step)
    if mixed := describe_mixed_code(found.runs):
        console.print(Text(printable(f"these runs were made by {mixed}"), style="yellow"))
    if found.others:
        those = count_of(found.others, "other run")
        console.print(
            note(f"{those} of the experiment: --all compares {pronoun_of(found.others)} as well")
        )
