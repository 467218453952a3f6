"""``orch status``: the state, progress and metrics of an experiment's run directories."""

from __future__ import annotations

import json
import select
from typing import TYPE_CHECKING, Final

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.lookup import source_of
from orchestrator.cli.run_json import report_as_json
from orchestrator.cli.tables import print_status
from orchestrator.execution.stop import StopRequests
from orchestrator.planning.load import open_experiment
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
    """Print the state of every run directory, once or repeatedly while a process executes runs."""
    _, experiment = open_experiment(source_of(options))
    if not options.watch:
        _print(_look(experiment), experiment, options, console)
        return 0
    with StopRequests() as stop:
        while True:
            # Checked before reading the states, so that the last output shows the final states.
            is_executed = experiment.is_executed()
            reports = _look(experiment)
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


def _look(experiment: ExperimentDirectory) -> list[Report]:
    survivors = Survivors()
    reports = [directory.report(survivors) for directory in experiment.runs()]
    return sorted(reports, key=lambda report: (report.created_at, report.run_id))


def _print(
    reports: Sequence[Report],
    experiment: ExperimentDirectory,
    options: argparse.Namespace,
    console: Console,
) -> None:
    if options.json:
        content = {"schema": 1, "runs": [report_as_json(report) for report in reports]}
        # One line per repetition with --watch, for programs that read lines.
        indent = None if options.watch else 2
        console.file.write(json.dumps(content, indent=indent) + "\n")
    elif reports:
        print_status(reports, console, everything=options.all)
    else:
        console.print(f"no runs in {experiment.training} yet. Start them with orch run.")
