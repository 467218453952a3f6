"""What precedes the execution of runs: the tracking, repaired directories, the board."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from rich.text import Text

from orchestrator.cli.boards import JsonBoard, PlainBoard, QuietBoard
from orchestrator.cli.mlflow_reporter import available_tracking
from orchestrator.cli.setting_flags import parse_flags, with_flags
from orchestrator.errors import RunDirectoryError, UsageError
from orchestrator.execution.execution_course import WHOLE_RUNS, BreadthFirst
from orchestrator.grid.identity import short
from orchestrator.launchers.code_description import CodeDescription
from orchestrator.runner.pause_at_iteration import STOP_AFTER

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from rich.console import Console

    from orchestrator.config.orch_settings import Settings, Tracking
    from orchestrator.execution.events import Event
    from orchestrator.execution.protocols import Course, Resources
    from orchestrator.planning.executable_plan import Work
    from orchestrator.tracking.git_source import GitSource

_RETRIES_IN_HALVING: Final = 3


def set_up(planned: Work, options: argparse.Namespace, console: Console) -> Tracking:
    """Repair what can be repaired, and return the tracking that is possible.

    Raises:
        UsageError: The environment and the order of the runs tell them to pause at different iterations.
    """
    _refuse_inherited_pause(planned, with_flags(planned.settings, parse_flags(options)))
    console.quiet = console.quiet or options.json
    tracking = available_tracking(planned.settings.tracking, console)
    _heal(planned, console)
    return tracking


def _refuse_inherited_pause(planned: Work, settings: Settings) -> None:
    """Refuse a variable that would reach the runs in the last section, where none is set for them."""
    told = os.environ.get(STOP_AFTER)
    if told and (planned.halving is not None or settings.order.step is not None):
        what = "the order breadth" if planned.halving is None else "halving"
        raise UsageError(
            f"{STOP_AFTER} is {told} in the environment: with {what}, each run is told another iteration to"
            f" pause after. Unset {STOP_AFTER}, or execute the runs without {what}."
        )


def code_of(source: GitSource) -> CodeDescription:
    """Return the code that runs are started with, to be recorded."""
    return CodeDescription(source.commit, source.is_dirty, source.user, source.command)


def _heal(planned: Work, console: Console) -> None:
    """Repair the directories of finished runs; print one line for each that cannot be repaired."""
    for decision in planned.plan.flawed():
        try:
            planned.experiment.create(decision.run)
        except (OSError, RunDirectoryError) as error:
            text = f"{short(decision.run.run_id)} is done, but {error}"
            console.print(Text(text, style="yellow"), soft_wrap=True)


def choose_board(options: argparse.Namespace, console: Console, total: int) -> PlainBoard:
    """Return the board for what the options and the terminal ask for."""
    if options.json:
        return JsonBoard(console, total)
    if options.quiet:
        return QuietBoard(console, total)
    if not console.is_terminal:
        return PlainBoard(console, total)
    from orchestrator.cli.live_board import LiveBoard  # noqa: PLC0415 # terminals only

    return LiveBoard(console, total)


def on_course(
    resources: Resources, planned: Work, settings: Settings, tell: Callable[[Event], None]
) -> Resources:
    """Return the resources with how far each run goes before others go on; ``tell`` shows an event."""
    course = _choose_course(planned, settings, tell)
    policy = resources.policy
    if planned.halving is not None:  # others wait for a run that was killed
        policy = replace(policy, retries=max(policy.retries, _RETRIES_IN_HALVING))
    return replace(resources, course=course, policy=policy)


def _choose_course(planned: Work, settings: Settings, tell: Callable[[Event], None]) -> Course:
    if planned.halving is not None:
        from orchestrator.execution.halved_search import HalvedSearch  # noqa: PLC0415 # rarely set
        from orchestrator.execution.halving_course import HalvingCourse  # noqa: PLC0415 # as above
        from orchestrator.planning.halving_stage import StageReader  # noqa: PLC0415 # as above

        halving, search, where = planned.halving, planned.growing_search, planned.experiment
        decisions = planned.plan.decisions
        if search is not None:
            return HalvedSearch(where, decisions, search, halving, tell)
        return HalvingCourse(where, decisions, StageReader(where, halving), halving, tell)
    if settings.order.step is None:
        return WHOLE_RUNS
    return BreadthFirst(planned.experiment, settings.order.step)
