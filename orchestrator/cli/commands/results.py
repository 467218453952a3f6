"""``orch results``: the metrics of an experiment by axis, as a table, JSON or CSV."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
from typing import TYPE_CHECKING

from orchestrator.cli.lookup import source_of
from orchestrator.cli.safe_output import write
from orchestrator.cli.tables import print_comparison
from orchestrator.errors import RunDirectoryError, UsageError
from orchestrator.grid.config_diff import leaves
from orchestrator.planning.grouping import RunConfig
from orchestrator.planning.load import open_experiment
from orchestrator.planning.results_table import (
    ResultsTable,
    RunResults,
    compare,
    comparison_as_json,
)
from orchestrator.rundir import durable
from orchestrator.rundir.state import State

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from orchestrator.grid.config_values import Value
    from orchestrator.rundir.directory import RunDirectory


def results(options: argparse.Namespace, console: Console) -> int:
    """Print one row per group of runs that differ only in their seed, the best first.

    Raises:
        UsageError: There is no such axis or metric, or two formats are requested.
    """
    if options.json and options.csv:
        raise UsageError("--json and --csv exclude each other: they are two formats. Choose one.")
    described, experiment = open_experiment(source_of(options))
    exclude = described.settings.identity_exclude
    outcomes = [_outcome(directory, exclude) for directory in experiment.standing()]
    compared = compare(outcomes, options.over, options.sort)
    if options.json:
        console.file.write(json.dumps(comparison_as_json(compared), indent=2) + "\n")
    elif options.csv:
        _write_csv(compared, console)
    elif outcomes:
        print_comparison(compared, console)
    else:
        console.print(f"no runs in {experiment.training} yet. Start them with orch run.")
    return 0


def _outcome(directory: RunDirectory, exclude: Sequence[str]) -> RunResults:
    """Return the results of a run, or its last metrics if its program writes no results."""
    try:
        overrides = directory.read_overrides()
        text = durable.read_file(directory.config).decode(errors="replace")
    except (RunDirectoryError, OSError):
        return RunResults({}, None)  # orch status reports the damage

    def read() -> Mapping[str, Value]:
        with contextlib.suppress(RunDirectoryError):
            return leaves(directory.read_config(), exclude)
        return {}

    config = RunConfig(text, read)
    if directory.observe().state is not State.DONE:
        return RunResults(overrides, None, config)
    outcome = directory.outcome()
    return RunResults(overrides, outcome.figures, config, outcome.versions)


def _write_csv(compared: ResultsTable, console: Console) -> None:
    """Write two columns per metric, mean and standard deviation, unrounded."""
    columns = [f"{metric}{part}" for metric in compared.metrics for part in ("", "_std")]
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow([*compared.axes, "runs", "with_results", *columns])
    for row in compared.rows:
        numbers: list[float | None] = []
        for metric in compared.metrics:
            cell = row.cells.get(metric)
            numbers += [cell.mean, cell.std] if cell else [None, None]
        values = [_plain(row.overrides.get(axis)) for axis in compared.axes]
        shown = ["" if number is None or math.isnan(number) else number for number in numbers]
        writer.writerow([*values, row.runs, row.with_results, *shown])
    write(console, content.getvalue())


def _plain(value: object) -> object:
    return json.dumps(value) if isinstance(value, list | dict | bool) else value
