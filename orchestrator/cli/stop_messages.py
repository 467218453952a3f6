"""What a request to stop means for the runs, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.execution.stop_requests import StopLevel

if TYPE_CHECKING:
    from orchestrator.execution.events import Stopping


def describe_stopping(event: Stopping) -> str:
    """Return what ``orch run`` says when it is asked to stop, with what asking again does."""
    runs = _runs(event.live)
    if not event.live:
        return f"{event.reason or 'stopping'}: no run is being executed, and nothing more starts"
    if event.reason:
        then = f"{runs} {'ends' if event.live == 1 else 'end'} as usual"
        then = then if event.drain else what_happens(event.live, event.unsaved)
        return f"{event.reason}: {then}, nothing more starts"
    if event.at_once:
        return f"ending {runs} at once"
    if event.drain:
        ends = "ends" if event.live == 1 else "end"
        return f"draining: {runs} {ends} as usual, nothing more starts (again: ask them to stop)"
    return f"stopping: {what_happens(event.live, event.unsaved)} (again: end them at once)"


def describe_asked(
    name: str, level: StopLevel, live: int, unsaved: int, *, is_executed: bool
) -> str:
    """Return what ``orch stop`` says of an experiment.

    ``live`` runs are being executed; ``is_executed`` is whether there is an ``orch run`` to ask. Where
    it was killed, the runs are asked themselves.
    """
    match level:
        case StopLevel.AT_ONCE:
            then = f"{_runs(live)} {'is' if live == 1 else 'are'} killed"
        case StopLevel.DRAIN:
            then = f"{_runs(live)} {'ends' if live == 1 else 'end'} as usual"
        case _:
            then = what_happens(live, unsaved)
    if is_executed:
        return f"Asked every orch run of {name} to stop: {then}. Nothing more starts."
    if not live:
        return f"No orch run executes {name}: nothing was asked to stop."
    if level is StopLevel.DRAIN:
        return f"No orch run executes {name}: {then}, and nothing more starts."
    return f"Asked what is left of an orch run of {name} to stop: within seconds {then}."


def what_happens(live: int, unsaved: int) -> str:
    """Return what happens to live runs that are asked to stop; some have saved nothing so far."""
    if not unsaved:
        return f"{_runs(live)} {'ends at its' if live == 1 else 'end at their'} next checkpoint"
    asked = f"{_runs(live)} {'is' if live == 1 else 'are'} asked to stop"
    if unsaved == 1:
        which, verb = "it" if live == 1 else "1 of them", "has saved nothing and restarts"
        return f"{asked}; {which} {verb} from the beginning, unless it saves now"
    which = "they" if unsaved == live else f"{unsaved} of them"
    return (
        f"{asked}; {which} have saved nothing and restart from the beginning, unless they save now"
    )


def _runs(number: int) -> str:
    return f"{number} run{'' if number == 1 else 's'}"
