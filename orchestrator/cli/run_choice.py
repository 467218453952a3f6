"""The choice of existing runs on a command line: by their IDs, or by a condition on their configs."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.cli.absent_runs import no_runs_in
from orchestrator.cli.condition_keys import check_keys
from orchestrator.cli.lookup import find_started
from orchestrator.config.concealed_arguments import without_secret
from orchestrator.config.overrides import make_axis, name_of
from orchestrator.errors import FilterError, OrchestratorError, RunDirectoryError, UsageError
from orchestrator.grid.config_values import (
    NEVER_IDENTITY,
    Missing,
    is_under,
    label_of,
    look_up,
    nearest_key,
    put_at,
    same,
)
from orchestrator.grid.filter_parser import parse_condition
from orchestrator.grid.identity import short
from orchestrator.planning.load import plan_runs
from orchestrator.rundir.chosen_values import ChosenValues
from orchestrator.rundir.note_file import read_note

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from hydra.core.override_parser.types import Override

    from orchestrator.config.load import ExperimentConfig
    from orchestrator.grid.config_values import Value
    from orchestrator.grid.filters import Condition
    from orchestrator.grid.identity import RunId
    from orchestrator.planning.load import Planned
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.experiment import ExperimentDirectory


def separate_runs(options: argparse.Namespace) -> None:
    """Separate the names of runs on a command line from the overrides."""
    words = [*options.runs, *options.overrides]
    options.overrides = [word for word in words if "=" in word or word.startswith("~")]
    options.runs = [word for word in words if word not in options.overrides]


def choose_runs(options: argparse.Namespace, experiment: ExperimentDirectory) -> list[RunId]:
    """Return the runs that a command line names, each once.

    Raises:
        UsageError: It names none, or one that does not exist.
        FilterError: No run has a key of the condition, or it orders values that have no order.
    """
    if bool(options.runs) == (options.where is not None):
        what = "RUN and --where exclude each other" if options.runs else "no run is named"
        raise UsageError(
            f"{what}. Name runs by their IDs, as orch status prints them, or choose them with"
            " --where, for example --where 'seed == 1'."
        )
    run_ids = sorted({*experiment.run_ids(), *experiment.replaced.run_ids()})
    if not run_ids:
        raise UsageError(f"{no_runs_in(experiment)}: nothing was started.")
    if options.where is None:
        return list(dict.fromkeys(find_started(name, run_ids, options) for name in options.runs))
    kept = set(experiment.replaced.run_ids())
    directories = [
        experiment.replaced.kept(run_id) if run_id in kept else experiment.run(run_id)
        for run_id in run_ids
    ]
    return [each.run_id for each in meeting(parse_condition(options.where, "--where"), directories)]


def refuse_contradictions(described: ExperimentConfig, directories: Sequence[RunDirectory]) -> None:
    """Make sure that no override gives a run that is named another value than it has.

    Values that are not part of its ID may be others: it is the same run.

    Raises:
        UsageError: One does.
    """
    records = [(directory.run_id, *_records_of(directory)) for directory in directories]
    for override in described.given:
        name = name_of(override)
        if override.is_delete() or name.replace("/", ".").partition(".")[0] in NEVER_IDENTITY:
            continue
        is_choice = described.folder.is_choice(override)
        for run_id, config, chosen in records:
            if is_under(name, chosen.identity_exclude):
                continue
            own = look_up(config, name.replace("/", ".") if is_choice else override.key_or_group)
            # A group whose configs only say what varies has no place of its own in the config of a run.
            if is_choice and not isinstance(own, Missing):
                own = chosen.known_choices.get(name)
            if _contradicts(own, _values_of(override, described)):
                typed = without_secret(str(override.input_line))
                raise UsageError(
                    f"run {short(run_id)} has {name}={label_of(own)}, and the command line"
                    f" says {typed}. Name another run, or leave the override out."
                )


def _records_of(directory: RunDirectory) -> tuple[Mapping[str, Value], ChosenValues]:
    """Return the config of a run and what it was created with, as far as they can be read."""
    config: Mapping[str, Value] = {}
    chosen = ChosenValues({})
    with suppress(RunDirectoryError):
        chosen = directory.read_chosen()
    with suppress(RunDirectoryError):
        config = directory.read_hashed_config()
    return config, chosen


def _values_of(override: Override, described: ExperimentConfig) -> Sequence[Value]:
    with suppress(OrchestratorError):
        return make_axis(override, described.folder).values
    return ()


def _contradicts(own: Value | Missing, values: Sequence[Value]) -> bool:
    """Return whether a plain value of a run is none of some plain values."""
    return (
        isinstance(own, bool | int | float | str)
        and all(isinstance(it, bool | int | float | str) and "${" not in str(it) for it in values)
        and bool(values)
        and not any(same(own, it) for it in values)
    )


def meeting(condition: Condition, directories: Sequence[RunDirectory]) -> list[RunDirectory]:
    """Return the run directories whose config meets a condition."""
    found: list[RunDirectory] = []
    unknown, example = set(condition.keys), dict[str, "Value"]()
    for directory in directories:
        try:
            chosen = directory.read_chosen()
            config = _config_of(directory, chosen.overrides, condition)
        except RunDirectoryError:
            continue  # orch status reports the damage
        unknown = {key for key in unknown if isinstance(look_up(config, key), Missing)}
        example = dict(config)
        if condition.holds(config, chosen.known_choices):
            found.append(directory)
    if unknown:
        check_keys(condition, sorted(unknown), directories)
        key = min(unknown)
        near = nearest_key(example, key)
        hint = f"Did you mean {near}?" if near else "If it is a string, put it in quotes."
        raise UsageError(
            f"{condition.source} {condition.text!r}: no run has the key {key!r}. {hint}"
        )
    if not found:
        raise UsageError(
            f"{condition.source} {condition.text!r}: none of the {len(directories)} runs meets it."
            " orch status lists them."
        )
    return found


def plan_meeting(
    described: ExperimentConfig, experiment: ExperimentDirectory, condition: Condition | None
) -> Planned:
    """Return a plan of the runs of the grid that meet a condition, on notes and tags as well.

    Raises:
        OrchestratorError: The grid or a filter is wrong, or no run meets the condition.
    """
    if condition is None or not _reads_notes(condition):
        try:
            return plan_runs(described, experiment, condition)
        except FilterError as error:
            if condition is not None and error.unknown:
                check_keys(condition, error.unknown, experiment.runs())
            raise
    planned = plan_runs(described, experiment)
    decisions = planned.plan.decisions
    # Only run directories have notes.
    places = {decisions.run(at).run_id: at for at, _ in decisions.observed()}
    there = meeting(condition, [experiment.run(run_id) for run_id in places])
    picked = decisions.pick(sorted(places[each.run_id] for each in there))
    return replace(planned, plan=replace(planned.plan, decisions=picked, only=condition.text))


def _reads_notes(condition: Condition) -> bool:
    return any(key == "note" or key.startswith("tags.") for key in condition.keys)


def _config_of(
    directory: RunDirectory, overrides: Mapping[str, Value], condition: Condition
) -> Mapping[str, Value]:
    """Return the config of a run, or only what the condition reads if the axes suffice."""
    if _reads_notes(condition):
        noted = read_note(directory.path).as_config()
        return {**noted, **directory.read_hashed_config()}
    values = [overrides.get(key) for key in condition.keys]
    if all(isinstance(value, bool | int | float) for value in values):
        config: dict[str, Value] = {}
        for key in condition.keys:
            put_at(config, key, overrides[key])
        return config
    return directory.read_hashed_config()
