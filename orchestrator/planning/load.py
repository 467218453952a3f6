"""Loads a plan from a config folder and overrides; reads the files, and decides nothing itself."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from orchestrator.config.credential_check import is_secret
from orchestrator.config.experiment_settings import SharedSettings
from orchestrator.config.grid_templates import make_templates
from orchestrator.config.load import ExperimentConfig, load_experiment
from orchestrator.config.replaced_mappings import warn_of_replaced_mappings
from orchestrator.errors import FilterError
from orchestrator.grid.config_values import keys_of, look_up
from orchestrator.grid.filter_parser import parse_condition
from orchestrator.grid.lazy_runs import find_places
from orchestrator.grid.point_selection import select_runs
from orchestrator.planning.executable_plan import Work
from orchestrator.planning.extendable_runs import Extensions, known_totals
from orchestrator.planning.plan import make_plan, restrict
from orchestrator.rundir.experiment import ExperimentDirectory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from orchestrator.config.halving_settings import Halving
    from orchestrator.config.orch_settings import Settings
    from orchestrator.grid.filters import Condition
    from orchestrator.grid.identity import RunId
    from orchestrator.grid.point_selection import Selection
    from orchestrator.planning.search import Search


Proposals: TypeAlias = "Callable[[Settings], int]"
Adjust: TypeAlias = "Callable[[Settings], Settings]"


def _no_proposals(_settings: Settings) -> int:
    return 0


def _as_configured(settings: Settings) -> Settings:
    return settings


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
    SharedSettings(described.span, described.composer.resolve).check_last()
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
class Planned(Work):
    """The work that a config describes.

    ``former`` are the runs in the folder that the grid does not name, ``notes`` say what the run IDs
    depend on.
    """

    described: ExperimentConfig
    former: Sequence[RunId]
    notes: Sequence[str] = ()


def load_plan(
    source: ConfigSource,
    *,
    only: str | None = None,
    proposals: Proposals = _no_proposals,
    adjust: Adjust = _as_configured,
) -> Planned:
    """Read the config, expand the grid, observe the run directories and plan.

    Args:
        source: The experiment's description.
        only: A condition, one side of a filter, that the planned runs must meet; None: all runs.
        proposals: Returns how many of the next points of a search to plan, besides its runs.
        adjust: Returns the settings by which a search chooses points, with the options of the command.

    Raises:
        OrchestratorError: The config, the grid, a filter or a folder is wrong.
    """
    condition = None if only is None else parse_condition(only)
    proposals = _no_proposals if only else proposals
    return plan_runs(*describe(source), condition, proposals=proposals, adjust=adjust)


def plan_runs(
    described: ExperimentConfig,
    experiment: ExperimentDirectory,
    condition: Condition | None = None,
    *,
    proposals: Proposals = _no_proposals,
    adjust: Adjust = _as_configured,
) -> Planned:
    """Expand the grid of a config, observe the run directories and plan, as ``load_plan``."""
    search = None
    if described.search is not None:
        adjusted = adjust(described.settings)
        count = proposals(adjusted)
        search, described = _look_at_search(described, experiment, adjusted.halving, count)
    composer = described.composer
    shared = SharedSettings(described.span, composer.resolve)
    with _hiding_secrets(described):
        selection = select_runs(
            described.span,
            shared.templates(make_templates(composer)),
            shared.resolve,
            (),
            exclude=described.settings.identity_exclude,
            conceal=partial(composer.conceal, training=experiment.training),
            only=condition,
        )
    warnings = [*map(_without_secrets, selection.warnings)]
    warnings += warn_of_replaced_mappings(composer)
    warnings += _look_at_program(selection, described, experiment)
    selection = replace(selection, warnings=tuple(warnings))
    existing = experiment.run_ids()
    named = find_places(selection.runs, existing)
    seen = experiment.observe(named)
    made = make_plan(described.experiment_id, str(experiment.training), selection, seen, named)
    if condition is not None:
        made = restrict(made, _without_secrets(condition.text), condition.source)
    former = [run_id for run_id in existing if run_id not in named]
    experiment.totals = known_totals(described, experiment, former)
    extensions = Extensions(described, experiment, existing).find(made.decisions)
    if extensions:
        made = replace(made, decisions=made.decisions.extending(extensions))
    return Planned(
        made,
        experiment,
        described.settings,
        described,
        former,
        (*described.notes, *composer.notes.say()),
        search=search,
    )


def _look_at_search(
    described: ExperimentConfig,
    experiment: ExperimentDirectory,
    halving: Halving | None,
    proposals: int,
) -> tuple[Search | None, ExperimentConfig]:
    """Return a search, and the config with the points of its runs and proposals as a grid."""
    space, settings = described.search, described.settings.search
    if space is None or settings is None:
        return None, described
    from orchestrator.planning.search import Search  # noqa: PLC0415 # searches only

    search = Search(described, space, settings, experiment, halving)
    members = search.members()
    points = [member.run.overrides for member in members]
    if proposals:
        points += [run.overrides for run in search.propose(members, proposals)]
    span = search.span(points)
    composer = described.composer.with_grids(replace(described.composer.grids, span=span))
    return search, replace(described, span=span, composer=composer)


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
            text for key, text in error.quoted.items() if is_secret(keys_of(key), text.strip('"'))
        ]
        if error.quoted:
            first = described.composer.conceal(described.first_point())
            for key, text in error.quoted.items():
                if look_up(first.resolved, key) != look_up(first.written, key):
                    secret.append(text)
        raise error.rewritten(partial(_without, secret)) from None


def _look_at_program(
    selection: Selection, described: ExperimentConfig, experiment: ExperimentDirectory
) -> Sequence[str]:
    """Check the program that runs execute, and return warnings."""
    composer, program = described.composer, described.settings.program
    if not (program.command or program.entry_point or composer.misplaced or composer.ignored):
        return ()
    from orchestrator.planning import program_check  # noqa: PLC0415 # not for the trainer

    program_check.fill_in_samples(selection, described, experiment)
    return (
        *program_check.warn(described, experiment),
        *program_check.warn_of_other_programs(selection.repeated, described),
    )


def _without_secrets(text: str) -> str:
    from orchestrator.config.message_redaction import without_secrets  # noqa: PLC0415 # few plans have such a text

    return without_secrets(text)


def _without(secret: Sequence[str], message: str) -> str:
    for text in secret:
        message = message.replace(text, "***")
    return message
