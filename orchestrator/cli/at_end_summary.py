"""The summary of ``orch run`` for ``orch.at_end``: how it ended, as JSON."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.text import Text

from orchestrator.cli.exit_message import count_done
from orchestrator.cli.json_text import json_text, write_json
from orchestrator.cli.next_command import next_command
from orchestrator.cli.tables import say_done
from orchestrator.execution.at_end_command import tell
from orchestrator.rundir.records import now
from orchestrator.rundir.state import State

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from orchestrator.execution.events import Ended, ExecutionResult
    from orchestrator.execution.stop_requests import StopRequests
    from orchestrator.planning.executable_plan import Work

_MOST_FAILURES: Final = 100


@dataclass(frozen=True, slots=True)
class RunEnd:
    """The end of an execution, with when it began, and the exit code."""

    planned: Work
    outcome: ExecutionResult
    began: str
    code: int


def tell_at_end(
    ending: RunEnd, stop: StopRequests, options: argparse.Namespace, console: Console
) -> None:
    """Run the command of ``orch.at_end``, if there is one; print one line if it fails.

    Nothing else follows from its failure. Ctrl-C ends it.
    """
    command = ending.planned.settings.at_end
    if not command:
        return
    before = stop.level

    def give_up() -> bool:
        stop.look()
        return stop.level > before

    summary = json_text(summary_as_json(ending, next_command(options, "run")))
    with console.status("telling orch.at_end"):
        problem = tell(command, summary.encode(), give_up)
    if problem and options.json:
        event = {"event": "at_end_failed", "reason": problem}
        write_json(console, event)
    elif problem:
        console.print(Text(f"orch.at_end failed: {problem}", style="yellow"))


def summary_as_json(ending: RunEnd, command: str) -> dict[str, object]:
    """Return the summary; a contract."""
    planned, outcome = ending.planned, ending.outcome
    failed = [ended for ended in outcome.ended.values() if ended.state is State.FAILED]
    runs, done = len(planned.plan.decisions), count_done(outcome, planned)
    name = planned.plan.experiment_id
    text = f"{name}: {say_done(done, runs)}"
    text += f", {len(failed)} failed" if failed else ""
    text += f", {outcome.left} left" if outcome.left else ""
    text += f", {outcome.paused} paused" if outcome.paused else ""
    return {
        "schema": 1,
        "text": text,
        "experiment_id": name,
        "directory": str(planned.experiment.path),
        "host": socket.gethostname(),
        "command": command,
        "started_at": ending.began,
        "ended_at": now(),
        "exit_code": int(ending.code),
        "interrupted": outcome.stopped,
        "reason": outcome.gave_up or None,
        "runs": runs,
        "done": done,
        "failed": len(failed),
        "left": outcome.left,
        "paused": outcome.paused,
        "failures": [_failure(planned, ended) for ended in failed[:_MOST_FAILURES]],
    }


def _failure(planned: Work, ended: Ended) -> dict[str, object]:
    logs = planned.experiment.run(ended.run.run_id).attempt_logs()
    return {
        "run_id": ended.run.run_id,
        "overrides": dict(ended.run.overrides),
        "reason": ended.reason,
        "log": str(logs[-1]) if logs else None,
    }
