"""Loads a plan from a config folder and overrides; reads the files, and decides nothing itself."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from orchestrator.config.command_placeholders import ARGUMENTS, COMMAND, fill_in
from orchestrator.config.experiment_settings import SharedSettings
from orchestrator.config.load import ExperimentConfig, load_experiment
from orchestrator.config.overrides import is_ignored_by_programs
from orchestrator.config.secret_echo import without_secrets
from orchestrator.config.secret_patterns import is_secret
from orchestrator.config.unseen_overrides import UnseenOverrides
from orchestrator.errors import FilterError, RunDirectoryError
from orchestrator.grid.axes import expand
from orchestrator.grid.config_values import look_up
from orchestrator.grid.filter_parser import parse_condition
from orchestrator.grid.lazy_runs import find_places
from orchestrator.grid.run_selection import select_runs
from orchestrator.planning.grid_changes import Changes, EarlierRun, find_changes
from orchestrator.planning.numbers_versions import Versions, count_versions
from orchestrator.planning.plan import Plan, make_plan, restrict
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.state import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from orchestrator.config.settings import ProgramSettings, Settings
    from orchestrator.grid.axes import Point
    from orchestrator.grid.config_values import Value
    from orchestrator.grid.filters import Condition
    from orchestrator.grid.identity import RunId
    from orchestrator.grid.run_selection import Selection


_OVERRIDES: Final = "{overrides}"
_LOOKED_INTO: Final = 20  # earlier runs; reading a config takes milliseconds


@dataclass(frozen=True, slots=True)
class ConfigSource:
    """The source of an experiment's config: a config folder, its primary config, and overrides.

    ``app`` is the Hydra app that the config belongs to, if given; it has a folder and a name itself.
    """

    folder: Path | None
    name: str | None
    overrides: Sequence[str] = ()
    app: str = ""


def open_experiment(source: ConfigSource) -> tuple[ExperimentConfig, ExperimentDirectory]:
    """Read the config and return it with the experiment's folder.

    Raises:
        OrchestratorError: The config or an override is wrong.
    """
    described, experiment = describe(source)
    SharedSettings(described.axes, described.composer.resolve).check_last()
    return described, experiment


def describe(source: ConfigSource) -> tuple[ExperimentConfig, ExperimentDirectory]:
    """Read the config and return it with the experiment's folder, without looking at its grid.

    Raises:
        OrchestratorError: The config or an override is wrong.
    """
    described = load_experiment(source.folder, source.name, source.overrides, source.app)
    exclude = described.settings.identity_exclude
    return described, ExperimentDirectory(described.results_dir, described.experiment_id, exclude)


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with its experiment's folder, the settings to execute it with, and its config.

    ``former`` are the runs in the folder that the grid does not name, ``notes`` say what the run IDs
    depend on.
    """

    plan: Plan
    experiment: ExperimentDirectory
    settings: Settings
    described: ExperimentConfig
    former: Sequence[RunId]
    notes: Sequence[str] = ()


def load_plan(source: ConfigSource, *, only: str | None = None) -> Planned:
    """Read the config, expand the grid, observe the run directories and plan.

    Args:
        source: The experiment's description.
        only: A condition, one side of a filter, that the planned runs must meet; None: all runs.

    Raises:
        OrchestratorError: The config, the grid, a filter or a folder is wrong.
    """
    return plan_runs(*describe(source), None if only is None else parse_condition(only))


def plan_runs(
    described: ExperimentConfig, experiment: ExperimentDirectory, condition: Condition | None = None
) -> Planned:
    """Expand the grid of a config, observe the run directories and plan, as ``load_plan``."""
    axes, composer = described.axes, described.composer
    shared = SharedSettings(axes, composer.resolve)
    with _hiding_secrets(described):
        selection = select_runs(
            axes,
            shared.templates(composer.templates(axes)),
            shared.resolve,
            (),
            exclude=described.settings.identity_exclude,
            conceal=partial(composer.conceal, training=experiment.training),
            only=condition,
        )
    warnings = [without_secrets(warning) for warning in selection.warnings]
    warnings += _look_at_program(described, experiment)
    selection = replace(selection, warnings=tuple(warnings))
    existing = experiment.run_ids()
    named = find_places(selection.runs, existing)
    seen = experiment.observe(named)
    made = make_plan(described.experiment_id, str(experiment.training), selection, seen, named)
    if condition is not None:
        made = restrict(made, without_secrets(condition.text), condition.source)
    _check_program(selection, described, experiment)
    former = [run_id for run_id in existing if run_id not in named]
    return Planned(
        made,
        experiment,
        described.settings,
        described,
        former,
        (*described.notes, *composer.notes.say()),
    )


@contextlib.contextmanager
def _hiding_secrets(described: ExperimentConfig) -> Iterator[None]:
    """Remove the secrets of the config from the message of a ``FilterError``.

    Raises:
        FilterError: The block raised one.
    """
    try:
        yield
    except FilterError as error:
        secret = [
            text for key, text in error.quoted.items() if is_secret(key.split("."), text.strip('"'))
        ]
        if error.quoted:
            first = described.composer.conceal(next(expand(described.axes)))
            for key, text in error.quoted.items():
                if look_up(first.resolved, key) != look_up(first.written, key):
                    secret.append(text)
        raise error.rewritten(partial(_without, secret)) from None


def _without(secret: Sequence[str], message: str) -> str:
    for text in secret:
        message = message.replace(text, "***")
    return message


def _look_at_program(described: ExperimentConfig, experiment: ExperimentDirectory) -> Iterator[str]:
    """Yield warnings about what has no effect, or cannot be seen by the program."""
    yield from described.composer.misplaced
    setting, arguments = _arguments_of(described.settings.program)
    ignored = described.composer.ignored
    if any(_OVERRIDES in argument for argument in arguments):
        ignored = tuple(key for key in ignored if is_ignored_by_programs(key))
    if ignored:
        yield _say_ignored(ignored)
    if arguments:
        unseen = UnseenOverrides(described.composer, described.axes, arguments, setting)
        if told := unseen.describe(experiment.training / "run"):
            yield told


def _arguments_of(program: ProgramSettings) -> tuple[str, Sequence[str]]:
    """Return the arguments of a program with their setting; none for the trainer, which reads its config."""
    if program.command:
        return COMMAND, program.command
    return ARGUMENTS, program.arguments if program.entry_point else ()


def _say_ignored(keys: Sequence[str]) -> str:
    verb = "has" if len(keys) == 1 else "have"
    return f"{', '.join(keys)} {verb} no effect: orch itself starts runs and names their folders"


def _check_program(
    selection: Selection, described: ExperimentConfig, experiment: ExperimentDirectory
) -> None:
    """Fill in the placeholders of the command, so that a misspelt one is an error before any start.

    Templates may have different keys, so one run of each is checked.
    """
    setting, arguments = _arguments_of(described.settings.program)
    if not arguments:
        return
    for place in selection.samples[:_LOOKED_INTO]:
        run = selection.runs[place]
        fill_in(arguments, run, experiment.training / run.run_id, setting)


def look_at_numbers(planned: Planned) -> Mapping[Versions, int]:
    """Count the finished runs of a plan by the versions of the numbers behind their results."""
    done = planned.plan.decisions.places({State.DONE})
    runs = (planned.plan.decisions[place].run for place in done)
    return count_versions(planned.experiment.run(run.run_id).versions() for run in runs)


def look_back(planned: Planned) -> Changes:
    """Compare the run directories that the grid no longer names with the grid."""
    earlier_runs = []
    for run_id in planned.former[:_LOOKED_INTO]:
        directory = planned.experiment.run(run_id)
        with contextlib.suppress(RunDirectoryError):  # orch status reports the damage
            earlier_runs.append(
                EarlierRun(directory.read_overrides(), directory.read_hashed_config())
            )
    described = planned.described
    exclude = planned.settings.identity_exclude

    def resolve(point: Point) -> Mapping[str, Value]:
        return described.composer.conceal(point).written

    return find_changes(len(planned.former), earlier_runs, described.axes, resolve, exclude)
