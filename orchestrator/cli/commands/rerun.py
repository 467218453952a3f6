"""``orch rerun``: executes runs again from nothing, and keeps their earlier results until that is done."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from orchestrator.cli.broken_pipe import tolerate_loss
from orchestrator.cli.command_for_run import find_own_command
from orchestrator.cli.commands.run import execute
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.lookup import source_of
from orchestrator.cli.replace_runs import find_held, put_aside, say_where, tell_held
from orchestrator.cli.run_choice import choose_runs, refuse_contradictions, separate_runs
from orchestrator.cli.setting_flags import parse_flags
from orchestrator.cli.tables import count_of
from orchestrator.errors import RunDirectoryError, UsageError
from orchestrator.grid.lazy_runs import find_places
from orchestrator.planning.load import load_plan
from orchestrator.planning.plan import Decisions
from orchestrator.rundir.run_summary import report_on

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rich.console import Console

    from orchestrator.grid.identity import Run, RunId
    from orchestrator.planning.load import Planned
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.experiment import ExperimentDirectory


def rerun(options: argparse.Namespace, console: Console) -> int:
    """Execute the chosen runs from nothing, or continue an earlier rerun of them; return the exit code."""
    tolerate_loss(console)
    separate_runs(options)
    parse_flags(options)  # what is wrong is said before anything is done
    planned = load_plan(source_of(options))
    experiment = planned.experiment
    chosen = choose_runs(options, experiment)
    if options.runs:
        there = [experiment.run(it) for it in chosen if experiment.run(it).path.exists()]
        refuse_contradictions(planned.described, there)
    due = experiment.replaced.choose(chosen)
    seen = experiment.observe(due)
    held = find_held(experiment, seen)
    ready = [run_id for run_id in due if run_id not in held]
    tell_held(held, options, console)
    if not ready:
        return ExitCode.LEFT
    runs = _runs(options, planned, ready)
    told = _describe_beginning(experiment, ready, finished=len(chosen) - len(due))
    kept = set(experiment.replaced.run_ids())
    continued = {at: seen[it.run_id] for at, it in enumerate(runs) if it.run_id in kept}
    again = replace(planned, plan=replace(planned.plan, decisions=Decisions(runs, continued)))
    moved = [run_id for run_id in ready if run_id not in kept]
    begin = partial(put_aside, experiment, moved, told, options, console)
    if planned.settings.slurm:
        from orchestrator.cli.cluster_run import execute_on_cluster  # noqa: PLC0415 # clusters only

        code = execute_on_cluster(again, begin, options, console, is_summarized=False)
    else:
        code = execute(again, begin, options, console, is_summarized=False)
    return code or (ExitCode.LEFT if held else 0)


def _runs(options: argparse.Namespace, planned: Planned, run_ids: Sequence[RunId]) -> list[Run]:
    """Return the runs with these IDs, of the grid or, if it does not name them, of their own.

    They keep the axes that they were started with, and the values that their command gave.

    Raises:
        UsageError: The current config does not yield one of them.
    """
    named = planned.plan.selection.runs
    places = find_places(named, run_ids)
    runs = []
    for run_id in run_ids:
        there = planned.experiment.run(run_id)
        directory = there if there.path.exists() else planned.experiment.replaced.kept(run_id)
        run = named[places[run_id]] if run_id in places else _own_run(options, directory)
        with suppress(RunDirectoryError):  # it is damaged: the grid has them as well
            chosen = directory.read_chosen()
            run = replace(run, overrides=chosen.overrides, given=chosen.given)
        runs.append(run)
    return runs


def _own_run(options: argparse.Namespace, directory: RunDirectory) -> Run:
    found = find_own_command(options, directory, report_on(directory))
    if found.overrides is None:
        advice = "" if found.unreadable else " Restore the config, or choose other runs."
        raise UsageError(f"{directory.run_id} cannot be executed again: {found.reason}.{advice}")
    return load_plan(replace(source_of(options), overrides=found.overrides)).plan.selection.runs[0]


def _describe_beginning(
    experiment: ExperimentDirectory, ready: Sequence[RunId], *, finished: int
) -> str:
    """Return what is about to happen, in one line."""
    kept = set(experiment.replaced.run_ids())
    continued = sum(run_id in kept for run_id in ready)
    told = [f"{len(ready) - continued} from nothing"] if len(ready) > continued else []
    told += [f"{continued} continued"] if continued else []
    told += [f"{finished} already done"] if finished else []
    count = count_of(len(ready) + finished, "run")
    return f"rerun of {count}: {', '.join(told)}. {say_where(experiment)}"
