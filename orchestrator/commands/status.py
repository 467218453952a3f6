"""``orch status``: the state, progress and metrics of an experiment's run directories."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.config import load_experiment
from orchestrator.experiment import ExperimentDirectory
from orchestrator.state import Status
from orchestrator.tables import print_status

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from orchestrator.rundir import Report


def status(options: argparse.Namespace, console: Console) -> int:
    """Print what is known of every run directory."""
    described = load_experiment(Path(options.config_dir), options.config_name, options.overrides)
    experiment = ExperimentDirectory(described.results_dir, described.experiment_id)
    reports = [directory.report() for directory in experiment.runs()]
    reports.sort(key=lambda report: (report.created_at, report.run_id))
    if options.json:
        content = {"schema": 1, "runs": [report_as_json(report) for report in reports]}
        console.file.write(json.dumps(content, indent=2) + "\n")
    elif reports:
        print_status(reports, console)
    else:
        console.print(f"no runs in {experiment.training} yet; orch run starts them")
    return 0


def report_as_json(report: Report) -> dict[str, object]:
    """Return a run as ``orch status --json`` prints it; a contract."""
    seen = report.seen
    recorded = seen.status if isinstance(seen.status, Status) else None
    saved = seen.progress
    return {
        "run_id": report.run_id,
        "overrides": dict(report.overrides),
        "state": seen.state.value,
        "reason": seen.reason,
        "attempt": seen.attempts,
        "iteration": saved.iteration if saved else None,
        "iterations": saved.iterations if saved else None,
        "metrics": dict(saved.metrics) if saved else {},
        "started_at": recorded.started_at if recorded else None,
        "ended_at": recorded.ended_at if recorded else None,
    }
