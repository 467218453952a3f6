"""The ending of ``orch run``: its exit code, and its last message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.forecast_output import describe_accuracy, range_as_json
from orchestrator.cli.json_text import write_json
from orchestrator.cli.next_command import next_command, options_of_experiment
from orchestrator.cli.tables import note, pronoun_of, say_done
from orchestrator.config.halving_settings import NO_HALVING
from orchestrator.execution.events import Ended, ExecutionResult
from orchestrator.execution.remaining_time import describe_seconds
from orchestrator.grid.axes import describe_point
from orchestrator.grid.identity import short
from orchestrator.rundir.state import State

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from orchestrator.execution.events import Pauses
    from orchestrator.execution.grid_forecast import Executed
    from orchestrator.execution.wall_time_limit import Worker
    from orchestrator.grid.identity import RunId
    from orchestrator.planning.executable_plan import Work

_SHORT: Final = 10.0  # seconds; fewer are told with decimals
NOTHING_EXECUTED: Final = ExecutionResult({}, left=0, stopped=False)


def exit_code(
    outcome: ExecutionResult, worker: Worker | None = None, *, is_in_order: bool = False
) -> int:
    """Return the exit code for the result of an execution; a contract.

    ``worker``: its time is limited, and other workers continue what it leaves. ``is_in_order``: SIGTERM
    or the end of its time has ended it.
    """
    if outcome.is_misused:
        return ExitCode.WRONG
    if worker and is_in_order:
        return ExitCode.DONE
    if outcome.stopped:
        return ExitCode.INTERRUPTED
    if any(ended.state is State.FAILED for ended in outcome.ended.values()):
        return ExitCode.FAILED
    return ExitCode.LEFT if outcome.left and (worker is None or worker.waits) else 0


def close(  # noqa: PLR0913, PLR0917 # all that an end consists of
    outcome: ExecutionResult,
    planned: Work,
    options: argparse.Namespace,
    console: Console,
    code: int,
    executed: Executed | None = None,
    *,
    is_told: bool = False,
) -> int:
    """Print how the execution ended, as text or JSON, and return the exit code.

    ``executed`` says how long it took; None: nothing was executed. ``is_told``: the text is printed already.
    """
    if options.json:
        event = {
            "event": "finished",
            "runs": len(planned.plan.decisions),
            "done": count_done(outcome, planned),
            "failed": sum(ended.state is State.FAILED for ended in outcome.ended.values()),
            "left": outcome.left,
            "paused": outcome.paused,
            "pauses": outcome.pauses.count,
            "seconds_per_pause": outcome.pauses.seconds and round(outcome.pauses.seconds, 3),
            "reason": outcome.gave_up or None,
            "exit_code": int(code),
            "seconds": executed and round(executed.seconds, 3),
            "forecast_seconds": executed and range_as_json(executed.expected),
        }
        write_json(console, event)
    elif not is_told:
        ended = executed if code == ExitCode.DONE and not options.quiet else None
        if told := ended and describe_accuracy(ended):
            console.print(note(told))
        if told := ended and describe_pauses(outcome.pauses):
            console.print(note(told))
        _summarize(outcome, planned, options, console)
    return code


def _summarize(
    outcome: ExecutionResult, planned: Work, options: argparse.Namespace, console: Console
) -> None:
    """Print the command that shows each failure, and the counts of runs by their end."""
    failed = [ended for ended in outcome.ended.values() if ended.state is State.FAILED]
    shown = options_of_experiment(options) if failed else options
    for ended in failed:
        directory = planned.experiment.run(ended.run.run_id)
        about = "logs" if directory.attempt_logs() else "show" if directory.path.exists() else ""
        # Of a run without a directory nothing can be shown; why it failed has been told.
        look = next_command(shown, about, short(ended.run.run_id)) if about else ""
        parts = (
            ("failed ", "red"),
            describe_point(ended.run.naming),
            (f"  {look}".rstrip(), "dim"),
        )
        console.print(Text.assemble(*parts), soft_wrap=True)
    if outcome.gave_up:
        console.print(Text(f"ended early: {outcome.gave_up}", style="yellow"))
    done = count_done(outcome, planned)
    told = [say_done(done, len(planned.plan.decisions))]
    told += [f"{len(failed)} failed"] if failed else []
    told += [describe_left(outcome, options)] if outcome.left else []
    paused = outcome.paused, outcome.paused_failed
    told += [describe_paused(*paused, planned, options)] if outcome.paused else []
    console.print(Text(", ".join(told) + "." * (not outcome.paused)), soft_wrap=True)


def describe_left(outcome: ExecutionResult, options: argparse.Namespace) -> str:
    """Return how many runs are left, and what becomes of them."""
    if outcome.is_misused:  # the same command would end in the same way
        return f"{outcome.left} left"
    told = f"{outcome.left} left, the same command continues {pronoun_of(outcome.left)}"
    if not outcome.elsewhere:
        return told
    goes_on = "goes" if outcome.elsewhere == 1 else "go"
    stop = next_command(options_of_experiment(options), "stop")
    return (
        f"{told}; {outcome.elsewhere} of them, begun by another orch run, {goes_on} on until {stop}"
    )


def describe_pauses(pauses: Pauses) -> str:
    """Return how many pauses there were and what one took, in one line; empty if it is unknown."""
    if pauses.seconds is None:
        return ""
    count = f"{pauses.count} pause{'s' * (pauses.count != 1)}"
    short = pauses.seconds < _SHORT
    took = f"{pauses.seconds:.2f} s" if short else describe_seconds(pauses.seconds)
    return f"{count}, each took about {took} of a slot beyond its iterations"


def describe_paused(paused: int, failed: int, planned: Work, options: argparse.Namespace) -> str:
    """Return how many runs are paused because others were better, and below it what continues them.

    ``failed`` of them have failed.
    """
    words = ["run", *(["--halving", NO_HALVING] if planned.settings.halving else [])]
    told = f"{paused} paused by halving" + (f" ({failed} of them failed)" if failed else "")
    return f"{told}. To continue {pronoun_of(paused)}:\n  {next_command(options, *words)}"


def end_settled(planned: Work) -> dict[RunId, Ended]:
    """Return the ends of the runs that have failed, and are not retried."""
    return {
        each.run.run_id: Ended(each.run, each.seen.state, each.reason, 0.0, executed=False)
        for each in planned.failures()
    }


def count_done(outcome: ExecutionResult, planned: Work) -> int:
    """Return how many runs of a plan are done after its execution."""
    ends = [ended.state for ended in outcome.ended.values()]
    return planned.plan.states[State.DONE] + ends.count(State.DONE)
