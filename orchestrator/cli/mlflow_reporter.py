"""The reporter of ``orch run``: whether there is one, how it is started, and how its rest is sent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.cli.json_text import write_json
from orchestrator.cli.next_command import next_command
from orchestrator.execution.stop_requests import StopLevel
from orchestrator.extras import MLFLOW
from orchestrator.tracking.git_source import record_source

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from orchestrator.config.orch_settings import Tracking
    from orchestrator.execution.stop_requests import StopRequests
    from orchestrator.planning.executable_plan import Work
    from orchestrator.tracking.git_source import GitSource
    from orchestrator.tracking.reporter_handle import Backlog, ReporterProcess


def available_tracking(tracking: Tracking, console: Console) -> Tracking:
    """Return the tracking settings, disabled with one line of warning if MLflow is not installed."""
    if not tracking.enabled or MLFLOW.is_installed:
        return tracking
    request = MLFLOW.request("reporting to MLflow")
    text = f"{request}; the runs proceed without it, and orch sync reports them later"
    console.print(Text(text, style="yellow"))
    return replace(tracking, enabled=False)


def start_reporter(planned: Work, source: GitSource) -> ReporterProcess:
    """Start the process that reports the runs, as they were started with this code."""
    from orchestrator.tracking.reporter_handle import ReporterProcess  # noqa: PLC0415 # tracking only

    record_source(planned.experiment.path, source)
    reporter = ReporterProcess(planned.experiment, planned.settings.tracking)
    reporter.start()
    return reporter


def finish_reporter(
    reporter: ReporterProcess,
    planned: Work,
    stop: StopRequests,
    console: Console,
    options: argparse.Namespace,
) -> bool:
    """Wait until the rest is sent, and print one line if it could not be.

    Ctrl-C ends the wait; returns whether that happened.
    """
    from orchestrator.tracking.reporter_handle import Patience, find_backlog  # noqa: PLC0415 # as above

    if reporter.end_if_idle():
        return False
    before = stop.level

    def is_interrupted() -> bool:
        stop.look()
        return stop.interrupts and stop.level > before

    with console.status("sending the rest to MLflow"):
        problem = reporter.finish(
            Patience(), give_up=lambda: is_interrupted() or before is StopLevel.AT_ONCE
        )
    if not problem:
        return is_interrupted()
    waiting = find_backlog(planned.experiment, planned.settings.tracking)
    if waiting.runs:
        command = next_command(options, "sync")
        if options.json:
            counts = {"runs": waiting.runs, "points": waiting.points}
            event = {"event": "waiting", **counts, "problem": problem, "command": command}
            write_json(console, event)
        tell_waiting_points(problem, waiting, command, console)
    return is_interrupted()


def tell_waiting_points(problem: str, waiting: Backlog, command: str, console: Console) -> None:
    """Print what has not arrived and why, and the command that delivers it on a line of its own."""
    console.print(Text(f"{describe_waiting(problem, waiting)}:", style="yellow"))
    console.print(Text(f"  {command}", style="yellow"), soft_wrap=True)


def describe_waiting(problem: str, waiting: Backlog) -> str:
    """Return what has not arrived and why; what delivers it is told next."""
    from orchestrator.tracking.progress_messages import NO_TURN  # noqa: PLC0415 # as above

    are_several = waiting.points > 1
    if problem == NO_TURN:
        have, these, they = ("have", "these", "they") if are_several else ("has", "this", "it")
        return (
            f"MLflow: {waiting} {have} not arrived. The reporter of another process is sending what this"
            f" experiment has, {these} included. If it ends before {they} {'arrive' if are_several else 'arrives'}"
        )
    waits, them = ("wait", "them") if are_several else ("waits", "it")
    return f"MLflow: {problem}; {waiting} {waits}. To deliver {them}"
