"""``orch run``: execute the plan; the same command again continues where things stood."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, cast

from rich.text import Text

from orchestrator.board import JsonBoard, LiveBoard, PlainBoard
from orchestrator.commands.plan import load_plan
from orchestrator.commands.sync import sync_command
from orchestrator.engine import Engine
from orchestrator.launchers.command import CommandLauncher
from orchestrator.launchers.warm import WarmLauncher
from orchestrator.scheduler import make_slots
from orchestrator.selection import describe_point
from orchestrator.settings import parse_workers
from orchestrator.state import State
from orchestrator.stop import StopRequests
from orchestrator.streams import DispensableStream
from orchestrator.tables import print_summary
from orchestrator.tracking.process import Patience, ReporterProcess, look_at_waiting
from orchestrator.tracking.source import look_at_source, note_source

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rich.console import Console

    from orchestrator.commands.plan import Planned
    from orchestrator.engine import Outcome
    from orchestrator.events import Event, Live

FAILED: Final = 1
LEFT: Final = 3
INTERRUPTED: Final = 130


def run(options: argparse.Namespace, console: Console) -> int:
    """Execute the plan and return the exit code that tells how it went."""
    workers = parse_workers(options.workers, "--workers")
    planned = load_plan(options)
    # A closed terminal, or a reader that has read enough, is no reason to stop a grid.
    console.file = cast("IO[str]", DispensableStream(console.file))
    if options.json:
        console.quiet = True
    tracking = planned.settings.tracking
    total = len(planned.plan.decisions) - planned.plan.states[State.DONE]
    if total or (tracking.enabled and look_at_waiting(planned.experiment, tracking).runs):
        planned.experiment.prepare()
        print_summary(planned.plan, console)
    else:
        print_summary(planned.plan, console)
        console.print(f"Nothing to do: all {len(planned.plan.decisions)} runs are done.")
        return 0
    slots = make_slots(workers or planned.settings.workers or len(os.sched_getaffinity(0)))
    command = planned.settings.command
    limits = planned.settings.limits
    launcher = CommandLauncher(command, limits) if command else WarmLauncher(limits=limits)
    with StopRequests() as stop:
        reporter = _start_reporter(planned) if tracking.enabled else None
        with _board(options, console, total) as board:
            shown = _Tending(board, reporter) if reporter else board
            engine = Engine(planned.experiment, launcher, shown, slots)
            outcome = engine.execute(planned.plan, stop)
        if reporter:
            _finish(reporter, planned, stop, console, options)
    _summarize(outcome, planned, console)
    return exit_code(outcome)


def exit_code(outcome: Outcome) -> int:
    """Return the exit code that tells how a plan was executed; a contract."""
    if outcome.stopped:
        return INTERRUPTED
    if any(ended.state is State.FAILED for ended in outcome.ended.values()):
        return FAILED
    return LEFT if outcome.left else 0


def _start_reporter(planned: Planned) -> ReporterProcess:
    source = look_at_source(Path.cwd())
    if source:
        note_source(planned.experiment.path, source)
    reporter = ReporterProcess(planned.experiment, planned.settings.tracking)
    reporter.start()
    return reporter


class _Tending:
    """A board that looks after the reporter whenever it is drawn."""

    def __init__(self, board: PlainBoard, reporter: ReporterProcess) -> None:
        self._board = board
        self._reporter = reporter

    def show(self, event: Event) -> None:
        """Show an event."""
        self._board.show(event)

    def refresh(self, live: Sequence[Live]) -> None:
        """Show how far the live attempts are, and start the reporter anew if it died."""
        self._board.refresh(live)
        self._reporter.tend()


def _board(options: argparse.Namespace, console: Console, total: int) -> PlainBoard:
    if options.json:
        return JsonBoard(console, total)
    return LiveBoard(console, total) if console.is_terminal else PlainBoard(console, total)


def _finish(
    reporter: ReporterProcess,
    planned: Planned,
    stop: StopRequests,
    console: Console,
    options: argparse.Namespace,
) -> None:
    """Have the rest sent, and say in one line what could not be."""
    with console.status("sending the rest to MLflow"):
        problem = reporter.finish(Patience(), give_up=lambda: stop.asked > 1)
    if not problem:
        return
    waiting = look_at_waiting(planned.experiment, planned.settings.tracking)
    if waiting.runs:
        command = sync_command(options)
        if options.json:
            counts = {"runs": waiting.runs, "points": waiting.points}
            event = {"event": "waiting", **counts, "problem": problem, "command": command}
            console.file.write(json.dumps(event) + "\n")
        text = f"MLflow: {problem}; {waiting} wait. {command} delivers them"
        console.print(Text(text, style="yellow"), soft_wrap=True)


def _summarize(outcome: Outcome, planned: Planned, console: Console) -> None:
    """Print every failure with the file to look at, and how the experiment stands."""
    for ended in outcome.ended.values():
        if ended.state is State.FAILED:
            directory = planned.experiment.run(ended.run.run_id)
            console.print(
                Text.assemble(
                    ("failed ", "red"),
                    f"{ended.run.run_id}  {describe_point(ended.run.overrides)}: {ended.reason}",
                    f"\n       see {directory.path / 'logs'}",
                ),
                soft_wrap=True,
            )
    ends = [ended.state for ended in outcome.ended.values()]
    done = planned.plan.states[State.DONE] + sum(state is State.DONE for state in ends)
    failed = sum(state is State.FAILED for state in ends)
    parts = [f"{done} of {len(planned.plan.decisions)} runs are done"]
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{outcome.left} left, the same command continues them"] if outcome.left else []
    console.print(Text(", ".join(parts) + "."), soft_wrap=True)
