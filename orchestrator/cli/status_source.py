"""What ``orch status`` looks at: an experiment that a config names, or the experiments in a folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from orchestrator.cli.absent_runs import experiments_in, folder_like
from orchestrator.cli.arguments import CONFIG_DIR
from orchestrator.cli.lookup import names_a_run, source_of
from orchestrator.cli.run_choice import meeting, plan_meeting
from orchestrator.cli.setting_flags import parse_flags, with_flags
from orchestrator.config.orch_settings import parse_settings
from orchestrator.errors import FilterError, UsageError
from orchestrator.grid.filter_parser import parse_condition
from orchestrator.planning.experiment_status import (
    ExperimentStatus,
    observe_again,
    status_of_grid,
    status_of_runs,
)
from orchestrator.planning.load import describe, open_experiment, plan_runs
from orchestrator.rundir.experiments import ExperimentSummary, find_experiments, summarize
from orchestrator.rundir.state import State
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    from orchestrator.cli.halving_output import HalvedGrid
    from orchestrator.config.halving_settings import Halving
    from orchestrator.config.load import ExperimentConfig
    from orchestrator.config.orch_settings import Settings
    from orchestrator.grid.filters import Condition
    from orchestrator.grid.identity import RunId
    from orchestrator.planning.load import Planned
    from orchestrator.rundir.experiment import ExperimentDirectory

_OF_RUNS = ("where", "sort", "top")


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen in one look: the runs of one experiment, and a line for each experiment.

    ``status`` is None if no single experiment is meant. ``is_executed`` was checked before the
    states: if it is False, and no run is running, they are final. ``halved``: how the runs compare, if
    they are compared while they are trained. ``planned``: the grid, if one is meant.
    """

    is_executed: bool
    status: ExperimentStatus | None
    experiments: Sequence[ExperimentSummary] = ()
    halved: HalvedGrid | None = None
    planned: Planned | None = None

    @property
    def is_live(self) -> bool:
        """Whether a process executes the runs, or one of them lives."""
        return self.is_executed or bool(self.states[State.RUNNING])

    @property
    def states(self) -> Mapping[State, int]:
        """The number of runs in each state, for all states."""
        if self.status is not None:
            return self.status.count()
        return {state: sum(it.states[state] for it in self.experiments) for state in State}


Look: TypeAlias = "Callable[[], Seen]"


def open_source(options: argparse.Namespace) -> Look:
    """Return a function that looks at what a command line means.

    Raises:
        OrchestratorError: The config, the grid or the condition is wrong, or there is no experiment.
    """
    folder = _folder_of(options)
    if folder is not None:
        return _open_folder(folder, options)
    condition = None if options.where is None else parse_condition(options.where, "--where")
    if names_a_run(options.overrides):
        return _of_grid(*describe(source_of(options)), condition, options)
    described, experiment = open_experiment(source_of(options))
    if described.axes:
        return _of_grid(described, experiment, condition, options)
    compare = _comparing_all(with_flags(described.settings, parse_flags(options)), experiment)
    if options.overrides:
        return lambda: compare(Seen(experiment.is_executed(), _of_all(experiment, condition)))
    return lambda: compare(_with_siblings(experiment, condition, alone=options.json))


def _folder_of(options: argparse.Namespace) -> Path | None:
    """Return the folder whose experiments are meant; None if a config says what is meant."""
    if len(options.overrides) == 1 and "=" not in options.overrides[0]:
        named = Path(options.overrides[0])
        if named.is_dir() or options.overrides[0].startswith("~"):  # it deletes a key
            return named if named.is_dir() else None
        beside = experiments_in(named.parent, named.name) or folder_like(named)
        raise UsageError(
            f"there is no folder {printable(str(named))!r}{beside and f': {beside}'}. Name a folder with"
            " experiments, or write key=value."
        )
    is_without_config = not (
        options.overrides or options.app or options.config_dir != CONFIG_DIR or _has_config(options)
    )
    here = Path()
    return here if is_without_config and find_experiments(here) else None


def _has_config(options: argparse.Namespace) -> bool:
    return Path(options.config_dir, f"{options.config_name}.yaml").exists()


def _open_folder(folder: Path, options: argparse.Namespace) -> Look:
    found = find_experiments(folder)
    if not found:
        raise UsageError(f"no experiments in {folder}: there are no runs. Name another folder.")
    if len(found) == 1:
        condition = None if options.where is None else parse_condition(options.where, "--where")
        compare = _comparing_all(parse_settings(parse_flags(options)), found[0])
        return lambda: compare(_with_siblings(found[0], condition, alone=options.json))
    for name in _OF_RUNS:
        if getattr(options, name) is not None:
            raise UsageError(
                f"--{name} is about the runs of one experiment, and there are {len(found)}."
                f" Name one, as orch status {found[0].path}."
            )
    return lambda: _of_several(find_experiments(folder))


def _of_all(experiment: ExperimentDirectory, condition: Condition | None) -> ExperimentStatus:
    if condition is None:
        return status_of_runs(experiment, experiment.run_ids())
    met = meeting(condition, experiment.runs())
    return status_of_runs(experiment, [each.run_id for each in met])


def _with_siblings(
    experiment: ExperimentDirectory, condition: Condition | None, *, alone: bool
) -> Seen:
    """Look at an experiment, and in one line at each beside it; ``alone``: at it, if there is none."""
    is_executed = experiment.is_executed()
    status = _of_all(experiment, condition)
    known = {it: seen.state for it, seen in status.existing.items()} if condition is None else None
    siblings = find_experiments(experiment.results_dir, depth=1)
    if [each.path for each in siblings] == [experiment.path] and not alone:
        siblings = []
    summaries = [
        summarize(each, known if each.path == experiment.path else None) for each in siblings
    ]
    return Seen(is_executed, status, summaries)


def _of_several(found: Sequence[ExperimentDirectory]) -> Seen:
    summaries = [summarize(each) for each in found]
    return Seen(any(each.is_executed for each in summaries), None, summaries)


def _of_grid(
    described: ExperimentConfig,
    experiment: ExperimentDirectory,
    condition: Condition | None,
    options: argparse.Namespace,
) -> Look:
    try:
        planned = plan_meeting(described, experiment, condition)
    except (UsageError, FilterError):
        if condition is None or not (options.all or options.json):
            raise
        planned = _plan_nothing(described, experiment, condition)
    halving = with_flags(planned.settings, parse_flags(options)).halving
    first, compare = [planned], _comparing(halving, planned, experiment)

    def look() -> Seen:
        is_executed = planned.experiment.is_executed()
        now = first.pop() if first else observe_again(planned)
        status = status_of_grid(now, _others(now, condition))
        seen = Seen(is_executed, status, planned=now)
        return replace(seen, halved=compare(now, seen.is_live))

    return look


def _plan_nothing(
    described: ExperimentConfig, experiment: ExperimentDirectory, condition: Condition
) -> Planned:
    """Return a plan without runs, where only runs that the grid does not name meet the condition.

    Raises:
        UsageError: No run does.
    """
    meeting(condition, experiment.runs())
    planned = plan_runs(described, experiment)
    nothing = planned.plan.decisions.pick([])
    return replace(planned, plan=replace(planned.plan, decisions=nothing, only=condition.text))


def _comparing(
    halving: Halving | None, first: Planned, experiment: ExperimentDirectory
) -> Callable[[Planned, bool], HalvedGrid | None]:
    """Return a function that compares the runs of a grid; what has not changed is read once."""
    if halving is None:
        return lambda *_: None
    from orchestrator.cli.halving_output import look_at_halving  # noqa: PLC0415 # rarely set
    from orchestrator.planning.halving_stage import StageReader  # noqa: PLC0415 # as above

    reader = StageReader(experiment, halving, first.search)
    return lambda planned, is_live: look_at_halving(planned, reader, halving, is_executed=is_live)


def _comparing_all(settings: Settings, experiment: ExperimentDirectory) -> Callable[[Seen], Seen]:
    """Return a function that compares all runs of an experiment, where no grid says which are meant."""
    halving = settings.halving
    if halving is None:
        return lambda seen: seen
    from orchestrator.cli.halving_output import look_at_all  # noqa: PLC0415 # rarely set
    from orchestrator.planning.halving_stage import StageReader  # noqa: PLC0415 # as above

    reader = StageReader(experiment, halving)

    def compare(seen: Seen) -> Seen:
        halved = look_at_all(experiment, reader, halving, is_executed=seen.is_live)
        return replace(seen, halved=halved)

    return compare


def _others(planned: Planned, condition: Condition | None) -> Sequence[RunId]:
    """Return the run directories that the grid does not name, and that meet the condition."""
    if condition is None:
        return planned.former
    directories = [planned.experiment.run(run_id) for run_id in planned.former]
    try:
        return [each.run_id for each in meeting(condition, directories)]
    except UsageError:  # none does
        return ()
