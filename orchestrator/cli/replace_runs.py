"""Replacing runs by new executions: which may be replaced now, and moving their directories aside."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from rich.text import Text

from orchestrator.cli.waiting_notices import tell_waiting
from orchestrator.planning.code_drift import find_drift
from orchestrator.rundir.state import State

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    from rich.console import Console

    from orchestrator.grid.identity import RunId
    from orchestrator.planning.load import Planned
    from orchestrator.rundir.experiment import ExperimentDirectory
    from orchestrator.rundir.state import Observation

_IS_EXECUTED: Final = "another orch run executes this experiment, and may be about to start it"


def find_held(
    experiment: ExperimentDirectory, seen: Mapping[RunId, Observation]
) -> dict[RunId, str]:
    """Return the runs that must not be started again now, with the reason.

    The new attempt of an earlier rerun is none of them: it is continued, or waited for.
    """
    kept, is_executed = set(experiment.replaced.run_ids()), experiment.is_executed()
    held = {}
    for run_id, found in seen.items():
        if run_id in kept:
            continue
        if found.state is State.RUNNING or found.damage:
            held[run_id] = found.reason
        elif is_executed and found.state is not State.DONE:
            held[run_id] = _IS_EXECUTED
    return held


def put_aside(
    experiment: ExperimentDirectory,
    run_ids: Sequence[RunId],
    announcement: str,
    options: argparse.Namespace,
    console: Console,
) -> None:
    """Say what happens now and move run directories aside; print one line per run that has to stay.

    Raises:
        RunDirectoryError: The folder cannot be written; nothing was said.
    """
    experiment.replaced.prepare()
    tell(announcement, options, console)
    tell_held(experiment.replaced.put_aside(run_ids, tell_waiting), options, console)


def tell_held(held: Mapping[RunId, str], options: argparse.Namespace, console: Console) -> None:
    """Print one line per run that is not executed again."""
    for run_id, reason in held.items():
        tell(f"left as it is: {run_id}, {reason}", options, console, "yellow")


def tell(text: str, options: argparse.Namespace, console: Console, style: str = "") -> None:
    """Print a line, unless JSON is printed."""
    if not options.json:
        console.print(Text(text, style=style), soft_wrap=True)


def replace_changed(
    planned: Planned, options: argparse.Namespace, console: Console
) -> tuple[Planned, Callable[[], object]]:
    """Plan to start the runs from nothing that other code or another command has made.

    Return the plan, and what has to be called before it is executed. The new attempt of an earlier
    rerun is continued.
    """
    experiment, decisions = planned.experiment, planned.plan.decisions
    kept = set(experiment.replaced.run_ids())
    found = {decisions.run(place).run_id: place for place in find_drift(planned).places}
    changed = {run_id: place for run_id, place in found.items() if run_id not in kept}
    held = find_held(experiment, experiment.observe(changed))
    tell_held(held, options, console)
    run_ids = [run_id for run_id in changed if run_id not in held]
    if not run_ids:
        return planned, bool
    runs = "1 run" if len(run_ids) == 1 else f"{len(run_ids)} runs"
    told = f"rerun of {runs} made by other code or another command. {say_where(experiment)}"
    left = decisions.forget([changed[run_id] for run_id in run_ids])
    again = replace(planned, plan=replace(planned.plan, decisions=left))
    return again, partial(put_aside, experiment, run_ids, told, options, console)


def say_where(experiment: ExperimentDirectory) -> str:
    """Say where the earlier results of a rerun are meanwhile."""
    return f"Earlier results are kept in {experiment.replaced.path} until the new ones are done"
