"""A plan for points that are given one by one, as a sweeper of Hydra's chooses them.

Points that set the same keys are composed together, as the points of one grid.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from orchestrator.config.load import load_experiment
from orchestrator.errors import ConfigError, OrchestratorError
from orchestrator.grid.axes import point_at
from orchestrator.grid.filtering_in_blocks import strides
from orchestrator.grid.identity import identify
from orchestrator.grid.lazy_runs import Runs
from orchestrator.grid.point_selection import Selection
from orchestrator.grid.points import Points
from orchestrator.planning.load import Planned
from orchestrator.planning.plan import make_plan
from orchestrator.rundir.experiment import ExperimentDirectory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.config.load import ExperimentConfig
    from orchestrator.grid.identity import Run, RunId
    from orchestrator.planning.load import ConfigSource

GivenPoint: TypeAlias = "tuple[str, ...]"  # its overrides, each with one value


def plan_given(source: ConfigSource, points: Sequence[GivenPoint]) -> tuple[Planned, list[RunId]]:
    """Plan the runs of given points; return the plan, and the ID of each point's run.

    The overrides of ``source`` hold for all points. The filters of the config do not: all of these
    points are wanted.

    Raises:
        OrchestratorError: The config or an override is wrong.
    """
    runs: dict[GivenPoint, Run] = {}
    configs = []
    for alike in _alike(points):
        for described, made in _compose(source, alike):
            configs.append(described)
            runs.update(made)
    first = configs[0]
    places = {(it.results_dir, it.experiment_id) for it in configs}
    if len(places) > 1:
        raise ConfigError(
            "results_dir and experiment_id must be equal for all points. Write them without the"
            " keys that the sweeper varies."
        )
    chosen: dict[RunId, Run] = {}
    for point in points:  # of several with one config the first counts, as in a grid
        chosen.setdefault(runs[point].run_id, runs[point])
    selection = Selection(len(points), len(points) - len(chosen), [*chosen.values()], (), (), ())
    experiment = _folder(first)
    seen = experiment.observe([run_id for run_id in experiment.run_ids() if run_id in chosen])
    plan = make_plan(first.experiment_id, str(experiment.training), selection, seen)
    planned = Planned(plan, experiment, first.settings, first, (), first.composer.notes.say())
    return planned, [runs[point].run_id for point in points]


def _folder(described: ExperimentConfig) -> ExperimentDirectory:
    exclude = described.settings.identity_exclude
    return ExperimentDirectory(described.results_dir, described.experiment_id, exclude)


def _alike(points: Sequence[GivenPoint]) -> list[list[GivenPoint]]:
    """Return the distinct points in groups of those that set the same keys."""
    groups: dict[tuple[str, ...], list[GivenPoint]] = {}
    for point in dict.fromkeys(points):
        groups.setdefault(tuple(map(_key, point)), []).append(point)
    return list(groups.values())


def _key(override: str) -> str:
    return override.partition("=")[0]


def _compose(
    source: ConfigSource, alike: Sequence[GivenPoint]
) -> Iterator[tuple[ExperimentConfig, Mapping[GivenPoint, Run]]]:
    """Yield the config of points that set the same keys, with their runs.

    Where the values cannot be the axes of a grid, each point is composed on its own.
    """
    columns = {
        key: list(dict.fromkeys(values))
        for key, values in zip(map(_key, alike[0]), zip(*alike, strict=True), strict=True)
    }
    is_one = len(alike) == 1
    axes = {
        key.lstrip("+"): [text.partition("=")[2] for text in texts]
        for key, texts in columns.items()
        if "=" in texts[0] and not key.startswith("~") and (is_one or len(texts) > 1)
    }
    if len(columns) == len(alike[0]):  # no key twice
        try:
            swept = [_sweep(texts, axes) for texts in columns.values()]
            described = _load(source, swept)
            numbers = _numbers(described, alike, axes)
            yield described, dict(zip(alike, _runs(described, numbers), strict=True))
            return
        except (
            OrchestratorError,
            _NoGridError,
        ):  # composed one by one, it is right or the error of one
            pass
    for point in alike:
        described = _load(source, point)
        if described.axes:
            keys = ", ".join(axis.key for axis in described.axes)
            raise ConfigError(
                f"the config sweeps over {keys}, but the sweeper gives {keys} no value. Remove the key"
                " from hydra.sweeper.params, or orch.grids from the config."
            )
        yield described, {point: _runs(described, [0])[0]}


class _NoGridError(Exception):
    """The values of points are not the axes of a grid."""


def _sweep(texts: Sequence[str], axes: Mapping[str, object]) -> str:
    key = _key(texts[0])
    if key.lstrip("+") not in axes:
        return texts[0]
    return f"{key}=choice({','.join(text.partition('=')[2] for text in texts)})"


def _load(source: ConfigSource, overrides: Sequence[str]) -> ExperimentConfig:
    whole = replace(source, overrides=[*source.overrides, *overrides])
    return load_experiment(whole.folder, whole.name, whole.overrides, whole.app)


def _numbers(
    described: ExperimentConfig, alike: Sequence[GivenPoint], axes: Mapping[str, Sequence[str]]
) -> list[int]:
    """Return the number of each point among those of the grid of all their values."""
    spanned = {axis.key: len(axis.values) for axis in described.axes}
    if spanned != {key: len(values) for key, values in axes.items()}:
        raise _NoGridError
    steps = dict(zip(spanned, strides([*spanned.values()]), strict=True))
    at = [{_key(text).lstrip("+"): text.partition("=")[2] for text in point} for point in alike]
    return [sum(steps[key] * axes[key].index(values[key]) for key in steps) for values in at]


def _runs(described: ExperimentConfig, numbers: Sequence[int]) -> Runs:
    axes, composer = described.axes, described.composer
    exclude = described.settings.identity_exclude
    points = [point_at(axes, number) for number in numbers]
    digests = [
        bytes.fromhex(identify(composer.resolve_for_identity(point), {}, exclude).digest)
        for point in points
    ]
    training = _folder(described).training
    return Runs(
        Points(axes), numbers, digests, partial(composer.conceal, training=training), exclude
    )
