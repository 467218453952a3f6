"""``orch sync``: sends to MLflow what has not arrived yet, for example after an outage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.json_text import write_json
from orchestrator.cli.lookup import source_of
from orchestrator.cli.mlflow_reporter import tell_waiting_points
from orchestrator.cli.next_command import next_command
from orchestrator.errors import UsageError
from orchestrator.execution.stop_requests import StopRequests
from orchestrator.extras import MLFLOW
from orchestrator.planning.load import open_experiment
from orchestrator.tracking.reporter_handle import (
    SYNC_PATIENCE,
    Backlog,
    ReporterProcess,
    find_backlog,
)

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from orchestrator.tracking.progress_messages import ProgressMessage


def sync(options: argparse.Namespace, console: Console) -> int:
    """Send the backlog and return 0 if everything has arrived, 3 if something is still waiting.

    Raises:
        UsageError: MLflow is not installed, or the config disables tracking.
    """
    if not MLFLOW.is_installed:
        raise UsageError(MLFLOW.request("orch sync"))
    described, experiment = open_experiment(source_of(options))
    tracking = described.settings.tracking
    if not tracking.enabled:
        raise UsageError("orch.tracking.enabled is false: nothing is reported. Set it to true.")
    sent, problem, stopped = Backlog(), "", False
    has_runs = bool(experiment.run_ids())
    if has_runs:
        with StopRequests() as stop:
            reporter = ReporterProcess(experiment, tracking)
            with console.status("sending to MLflow") as shown:

                def watch() -> bool:
                    if not options.json:
                        shown.update(Text(_progress(reporter.progress)))
                    return stop.asked

                problem = reporter.finish(SYNC_PATIENCE, give_up=watch)
            stopped = stop.asked
        sent = Backlog(reporter.progress.runs, reporter.progress.points)
    waiting = find_backlog(experiment, tracking) if problem else Backlog()
    if options.json:
        content = {
            "schema": 1,
            "sent": {"runs": sent.runs, "points": sent.points},
            "waiting": {"runs": waiting.runs, "points": waiting.points},
            "problem": problem or None,
        }
        write_json(console, content, indent=2)
    elif has_runs:
        _print(sent, waiting, problem, console, options)
    else:
        console.print(Text(f"Nothing to send: no runs in {experiment.path}."), soft_wrap=True)
    if stopped:
        return ExitCode.INTERRUPTED
    return ExitCode.LEFT if problem else 0


def _progress(progress: ProgressMessage) -> str:
    text = f"sending to MLflow: {Backlog(progress.runs, progress.points)} sent, {progress.behind} to go"
    return f"{text}; {progress.problem}" if progress.problem else text


def _print(
    sent: Backlog, waiting: Backlog, problem: str, console: Console, options: argparse.Namespace
) -> None:
    if sent.runs:
        console.print(Text(f"Sent to MLflow: {sent}."), soft_wrap=True)
    elif not problem:
        console.print("Nothing to send: everything has arrived at MLflow.")
    if problem:
        tell_waiting_points(problem, waiting, next_command(options, "sync"), console)
