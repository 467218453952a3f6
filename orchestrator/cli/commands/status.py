"""``orch status``: the state, progress and metrics of an experiment's run directories."""

from __future__ import annotations

import json
import math
import select
from collections import Counter
from typing import TYPE_CHECKING, Final

from orchestrator.cli.columns import keys_of
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.lookup import source_of
from orchestrator.cli.run_choice import meeting
from orchestrator.cli.run_json import report_as_json
from orchestrator.cli.tables import print_status
from orchestrator.errors import UsageError
from orchestrator.execution.stop import StopRequests
from orchestrator.grid.filter_parser import parse_condition
from orchestrator.planning.load import open_experiment
from orchestrator.planning.metric_direction import Direction, direction_of
from orchestrator.rundir.state import State
from orchestrator.rundir.survivors import Survivors

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rich.console import Console

    from orchestrator.rundir.experiment import ExperimentDirectory
    from orchestrator.rundir.status_report import Report

_BETWEEN: Final = 2.0


def status(options: argparse.Namespace, console: Console) -> int:
    """Print the state of every run directory, once or repeatedly while a process executes runs.

    Raises:
        OrchestratorError: The config or the condition is wrong, or no run has the metric.
    """
    _, experiment = open_experiment(source_of(options))
    if not options.watch:
        _print(_look(options, experiment), experiment, options, console)
        return 0
    with StopRequests() as stop:
        while True:
            # Checked before reading the states, so that the last output shows the final states.
            is_executed = experiment.is_executed()
            reports = _look(options, experiment)
            if console.is_terminal and not options.json:
                console.clear()
            _print(reports, experiment, options, console)
            console.file.flush()
            live = any(report.seen.state is State.RUNNING for report in reports)
            if not (is_executed or live):
                return 0
            select.select([stop], [], [], _BETWEEN)
            if stop.asked:
                return ExitCode.INTERRUPTED


def _look(options: argparse.Namespace, experiment: ExperimentDirectory) -> list[Report]:
    """Return the reports on the runs that are meant, in the order of their creation.

    Raises:
        OrchestratorError: The condition is wrong, or no run meets it.
    """
    survivors, directories = Survivors(), experiment.runs()
    if options.where is not None:
        directories = meeting(parse_condition(options.where), directories)
    reports = [directory.report(survivors) for directory in directories]
    return sorted(reports, key=lambda report: (report.created_at, report.run_id))


def _choose(options: argparse.Namespace, reports: Sequence[Report]) -> list[Report]:
    """Return the reports to list: those in the requested states, by the requested metric.

    Raises:
        UsageError: No run has this metric.
    """
    states = {State(state) for state in options.state} or set(State)
    chosen = [report for report in reports if report.seen.state in states]
    if options.sort is not None:
        chosen = _sort(chosen, options.sort)
    return chosen[: options.top]


def _sort(reports: Sequence[Report], metric: str) -> list[Report]:
    if reports and not any(metric in report.outcome.figures for report in reports):
        known = keys_of(report.outcome.figures for report in reports)
        there = f"Choose one of {', '.join(known)}" if known else "There is none yet"
        raise UsageError(f"no run has the metric {metric!r}. {there}.")
    sign = 1 if direction_of(metric) is Direction.LESS else -1

    def place(report: Report) -> tuple[bool, float]:
        value = report.outcome.figures.get(metric, math.nan)
        return math.isnan(value), sign * value

    return sorted(reports, key=place)


def _print(
    reports: Sequence[Report],
    experiment: ExperimentDirectory,
    options: argparse.Namespace,
    console: Console,
) -> None:
    chosen = _choose(options, reports)
    if options.json:
        content = {"schema": 1, "runs": [report_as_json(report) for report in chosen]}
        # One line per repetition with --watch, for programs that read lines.
        indent = None if options.watch else 2
        console.file.write(json.dumps(content, indent=indent) + "\n")
    elif reports:
        everything = options.all or bool(options.state) or options.top is not None
        counts = Counter(report.seen.state for report in reports)
        print_status(chosen, console, everything=everything, counts=counts)
    else:
        console.print(f"no runs in {experiment.training} yet. Start them with orch run.")
