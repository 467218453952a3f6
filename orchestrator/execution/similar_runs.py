"""The finished runs that tell what those of a grid cost: its own, and earlier ones that are like them.

An earlier run, of this experiment or another one in the same ``results_dir``, is like those of the grid
if its config differs from that of the grid's point with the same axis values in nothing but the seed
and the number of iterations. One run stands for all that were started with the same axes.
"""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from orchestrator.errors import OrchestratorError, RunDirectoryError
from orchestrator.execution.empty_slot_times import usual_pause
from orchestrator.execution.past_runs import pick_some, seconds_of
from orchestrator.grid.axes import Point
from orchestrator.grid.config_diff import find_differences
from orchestrator.grid.config_values import Missing, is_number, look_up
from orchestrator.planning.grouping import Averaged, form_of
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.state import Record, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.grid.config_values import Value
    from orchestrator.grid.identity import RunId
    from orchestrator.planning.load import Planned
    from orchestrator.rundir.directory import RunDirectory

_OWN: Final = 300
_EARLIER: Final = 40  # per experiment
_EXPERIMENTS: Final = 2  # that are read ...
_LOOKED_AT: Final = 8  # ... of this many, of which a run is read each
_NAMES: Final = 500
_COMPARED: Final = 4  # composing a config takes milliseconds
_SEEDS: Final = Averaged(())


@dataclass(frozen=True, slots=True)
class Sibling:
    """A finished run: its values on the axes of the grid, and its seconds."""

    point: Mapping[str, Value]
    seconds: float
    directory: RunDirectory


@dataclass(frozen=True, slots=True)
class Siblings:
    """Finished runs; ``counted`` is the key with the number of iterations, and ``now`` its value.

    ``experiments`` are the earlier ones that they come from, ``pause`` is the usual time in seconds
    between two runs of a slot.
    """

    runs: Sequence[Sibling] = ()
    counted: str = ""
    now: Mapping[str, Value] = field(default_factory=dict)
    experiments: tuple[str, ...] = ()
    pause: float = 0.0


def find_own(planned: Planned) -> Siblings:
    """Return finished runs of a plan."""
    decisions = planned.plan.decisions
    done = [
        (place, seen.status)
        for place, seen in decisions.observed()
        if isinstance(seen.status, Status) and seen.status.record is Record.DONE
    ]
    found = []
    for place, status in pick_some(done, _OWN):
        run = decisions.run(place)
        directory = planned.experiment.run(run.run_id)
        seconds = seconds_of(directory, status)
        if seconds is not None:
            found.append(Sibling(run.overrides, seconds, directory))
    pause = usual_pause(status for _, status in done) if len(done) <= _OWN else 0.0
    return Siblings(found, pause=pause)


def find_earlier(planned: Planned) -> Siblings:
    """Return finished runs that are not of the plan, but like its runs."""
    found: list[Sibling] = []
    experiments: list[str] = []
    counted = ""
    now: dict[str, Value] = {}
    compared = 0
    for experiment, run_ids in _experiments(planned):
        for group in _groups(planned, experiment, run_ids):
            if compared == _COMPARED:
                break
            compared += 1
            alike = _compare(planned, group[0])
            if alike is None or (alike.key and counted not in ("", alike.key)):
                continue
            if alike.key:
                counted, now = alike.key, {alike.key: alike.now}
            found += [_sibling(alike, run) for run in group]
            if experiment.experiment_id != planned.experiment.experiment_id:
                experiments.append(experiment.experiment_id)
    return Siblings(found, counted, now, tuple(dict.fromkeys(experiments)))


@dataclass(frozen=True, slots=True)
class _Earlier:
    """A finished run that is not of the plan; ``iterations`` is how many it reports, if it does."""

    directory: RunDirectory
    overrides: Mapping[str, Value]
    seconds: float
    iterations: int | None


@dataclass(frozen=True, slots=True)
class _Alike:
    """What runs like those of the grid have on axes that they were not started with.

    ``key`` is the one of their number of iterations where it differs from ``now``.
    """

    values: Mapping[str, Value]
    key: str = ""
    now: Value = None


def _sibling(alike: _Alike, run: _Earlier) -> Sibling:
    return Sibling({**alike.values, **run.overrides}, run.seconds, run.directory)


def _experiments(planned: Planned) -> Iterator[tuple[ExperimentDirectory, Sequence[RunId]]]:
    """Yield this experiment with its earlier runs, and the others that have most of the axes."""
    if planned.former:
        yield planned.experiment, planned.former
    axes = {axis.key for axis in planned.described.axes}
    ranked = []
    for place, name in enumerate(_names(planned)):
        experiment = ExperimentDirectory(planned.experiment.results_dir, name)
        with suppress(RunDirectoryError, OSError):
            run_ids = experiment.run_ids()
            if run_ids:
                keys = set(experiment.run(run_ids[0]).read_chosen().overrides)
                ranked.append((len(keys ^ axes), place, experiment, run_ids))
    ranked.sort(key=lambda item: item[:2])
    yield from ((experiment, run_ids) for _, _, experiment, run_ids in ranked[:_EXPERIMENTS])


def _names(planned: Planned) -> list[str]:
    """Return the names of other experiments, the newest first."""
    found = []
    with suppress(OSError), os.scandir(planned.experiment.results_dir) as entries:
        for entry, _ in zip(entries, range(_NAMES), strict=False):
            if entry.name != planned.experiment.experiment_id and not entry.name.startswith("."):
                with suppress(OSError):
                    changed = os.stat(f"{entry.path}/training").st_mtime  # noqa: PTH116 # a string
                    found.append((changed, entry.name))
    return [name for _, name in sorted(found, reverse=True)[:_LOOKED_AT]]


def _groups(
    planned: Planned, experiment: ExperimentDirectory, run_ids: Sequence[RunId]
) -> list[list[_Earlier]]:
    """Return the finished ones of these runs, by what they have besides values on the axes.

    The runs of a group were started with the same axes, and the same values for all runs, and their
    number of iterations is the same or on an axis, so that one stands for the others.
    """
    axes = {axis.key for axis in planned.described.axes}
    groups: dict[str, list[_Earlier]] = defaultdict(list)
    for run_id in pick_some(run_ids, _EARLIER):
        directory = experiment.run(run_id)
        with suppress(RunDirectoryError, OSError):
            seconds = seconds_of(directory, directory.read_status())
            if seconds is None:
                continue
            chosen = directory.read_chosen()
            choices = {key: it for key, it in (chosen.choices or {}).items() if key in axes}
            overrides = {**choices, **chosen.overrides}
            own = sorted(axes.intersection(overrides))
            others = sorted(
                (key, repr(value))
                for key, value in {**chosen.given, **overrides}.items()
                if key not in own and key not in _SEEDS
            )
            progress = directory.read_progress()
            count = progress.iterations if progress else None
            groups[repr((own, others))].append(_Earlier(directory, overrides, seconds, count))
    split = [each for group in groups.values() for each in _split_by_count(group)]
    return sorted(split, key=len, reverse=True)


def _split_by_count(group: Sequence[_Earlier]) -> list[list[_Earlier]]:
    """Split runs by their number of iterations, unless that is one of their values."""
    if any(
        all(is_number(it := run.overrides.get(key)) and it == run.iterations for run in group)
        for key in group[0].overrides
    ):
        return [list(group)]
    found: dict[int | None, list[_Earlier]] = defaultdict(list)
    for run in group:
        found[run.iterations].append(run)
    return list(found.values())


def _compare(planned: Planned, earlier: _Earlier) -> _Alike | None:
    """Compare a run with the point of the grid that has its values; None: it is another kind of run."""
    described = planned.described
    try:
        config = earlier.directory.read_hashed_config()
        lacking = {
            axis.key: look_up(config, axis.key)
            for axis in described.axes
            if axis.key not in earlier.overrides
        }
        values = {key: each for key, each in lacking.items() if not isinstance(each, Missing)}
        if len(values) < len(lacking) or any(isinstance(it, dict) for it in values.values()):
            return None  # a group: its choice is not in the config
        point = {**values, **earlier.overrides}
        now = described.composer.conceal(
            Point({axis.key: point[axis.key] for axis in described.axes})
        )
    except (OrchestratorError, OSError):
        return None
    differences = find_differences(config, now.written, planned.settings.identity_exclude)
    keys = [each.key for each in differences if each.key not in _SEEDS]
    if not keys:
        return _Alike(values)
    changes = {key: (look_up(config, key), look_up(now.written, key)) for key in keys}
    counts = {key: it for key, it in changes.items() if is_number(it[0]) and is_number(it[1])}
    key = next((key for key, (before, _) in counts.items() if before == earlier.iterations), "")
    if not key or any(not _follows(*each, *counts[key]) for each in changes.values()):
        return None
    before, after = cast("tuple[float, float]", counts[key])
    return _Alike({**values, key: before}, key, after)


def _follows(before: object, after: object, count: object, now: object) -> bool:
    """Return whether a value changed because the number of iterations did, as in a name."""
    if isinstance(before, str) and isinstance(after, str):
        return form_of(before, [str(count)]) == form_of(after, [str(now)])
    return is_number(before) and is_number(after) and (before, after) == (count, now)
