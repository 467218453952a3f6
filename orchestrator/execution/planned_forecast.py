"""The forecast of a plan: reads what finished runs cost, of this and of earlier experiments."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING, Final

from orchestrator.errors import UsageError
from orchestrator.execution.cost_model import find_counted_axis, marks_of
from orchestrator.execution.grid_forecast import Ahead, Capacity, Learned, make_forecast
from orchestrator.execution.nvidia_device_files import has_driver
from orchestrator.execution.past_peaks import learn_peaks
from orchestrator.execution.past_runs import bytes_of, parts_of, pick_some
from orchestrator.execution.planned_sharing import plan_sharing
from orchestrator.execution.similar_runs import Siblings, find_earlier, find_own
from orchestrator.execution.slots import count_slots
from orchestrator.grid.config_values import Missing, look_up
from orchestrator.grid.extension import total_of
from orchestrator.grid.lazy_runs import Runs
from orchestrator.planning.halving_cost import Leg, Outlook
from orchestrator.planning.plan import ACTIONS, STARTS
from orchestrator.rundir.state import Record, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestrator.config.resource_settings import Share
    from orchestrator.execution.cost_model import Marks
    from orchestrator.execution.grid_forecast import Forecast
    from orchestrator.execution.planned_sharing import PlannedSharing
    from orchestrator.execution.similar_runs import Sibling
    from orchestrator.execution.slots import Gpu
    from orchestrator.execution.start_and_pace import TimedParts
    from orchestrator.grid.config_values import Value
    from orchestrator.planning.load import Planned
    from orchestrator.planning.plan import Decisions
    from orchestrator.rundir.state import Observation

_LOOKED_AT: Final = 1000  # runs that are to be executed; of more, these are evenly spread ...
_LISTED: Final = 20_000  # ... over this many, if most of them are still to be executed
_MEASURED: Final = 16  # run directories
_MOST_MEASURED: Final = 24
# A run that extends another shares its best checkpoint, if that stays the best, and keeps its own last
# one: on the disk it counts as one with at most this share of the iterations.
_MOST_OWN: Final = 0.5


def count_capacity(share: Share, gpus: int = 0, sharing: PlannedSharing | None = None) -> Capacity:
    """Return how many runs ``orch run`` would execute at once on this machine, which has some GPUs.

    As long as nothing is known of their memory, that is one per GPU.
    """
    each, together = share.gpus_per_run, (sharing.per_gpu or 1) if sharing else 1
    slots = count_slots(share.workers, gpus, len(os.sched_getaffinity(0)), each, together)
    what = "GPU" if gpus else "CPU"
    default = f"one per {what}" if each == 1 else f"one per {each} {what}s"
    if together > 1:
        default = f"{together} per {what}"
    return Capacity(slots, gpus, "" if share.workers else default, each)


def gpus_here(wanted: str | None) -> tuple[Gpu, ...]:
    """Return the GPUs that runs may use here, or none, without loading anything where there is no driver."""
    if wanted == "none" or not has_driver():
        return ()
    from orchestrator.execution.visible_gpus import Nvml, choose  # noqa: PLC0415 # slow

    with suppress(UsageError):  # the grid may be planned on another machine than it is executed on
        return choose(Nvml().found(), wanted, os.environ.get("CUDA_VISIBLE_DEVICES"))
    return ()


def sharing_here(planned: Planned, share: Share) -> PlannedSharing | None:
    """Return how many runs will share a GPU of this machine; None without GPUs, or if the user says it."""
    gpus = gpus_here(share.gpus)
    if share.workers or not gpus:
        return None
    decisions = planned.plan.decisions
    seen = dict(decisions.observed())
    places = [at for at in range(len(decisions)) if at not in seen or _is_to_start(seen[at])]
    points = [decisions.run(at).overrides for at in pick_some(places, _LOOKED_AT)]
    processors = len(os.sched_getaffinity(0))
    return plan_sharing(share, gpus, processors, points, learn_peaks(planned))


def forecast_here(
    planned: Planned, share: Share, sharing: PlannedSharing | None = None
) -> Forecast | None:
    """Forecast the execution of a plan on this machine; None if there is nothing to execute."""
    return forecast_plan(planned, count_capacity(share, len(gpus_here(share.gpus)), sharing))


def forecast_plan(planned: Planned, capacity: Capacity) -> Forecast | None:
    """Forecast the execution of a plan; None if there is nothing to execute."""
    decisions = planned.plan.decisions
    seen = dict(decisions.observed())
    over = {place for place, each in seen.items() if not _is_to_start(each)}
    if decisions.stage is not None:
        over |= decisions.stage.paused
    count = len(decisions) - len(over)
    if not count:
        return None
    few = count <= _LOOKED_AT or len(decisions) <= _LISTED
    places_ahead = range(len(decisions)) if few else pick_some(range(len(decisions)), _LISTED)
    places = pick_some([at for at in places_ahead if at not in over], _LOOKED_AT)
    ahead = _look_ahead(planned, places)
    own = find_own(planned)
    forecast = make_forecast(ahead, _learn(planned, ahead, own), capacity, count)
    if forecast.is_whole:
        return forecast
    earlier = find_earlier(planned)
    if not earlier.runs:
        return forecast
    ahead = [
        replace(run, point={**run.point, **_own_values(decisions, place, earlier.now)})
        for place, run in zip(places, ahead, strict=True)
    ]
    return make_forecast(ahead, _learn(planned, ahead, own, earlier), capacity, count)


def _own_values(decisions: Decisions, place: int, now: Mapping[str, Value]) -> Mapping[str, Value]:
    """Return the number of iterations of a run: as the config says ``now``, or its own if it is rerun."""
    if isinstance(decisions.runs, Runs):  # of the grid
        return now
    own = {key: look_up(decisions.run(place).config, key) for key in now}
    return {**now, **{key: it for key, it in own.items() if not isinstance(it, Missing)}}


def _is_to_start(seen: Observation) -> bool:
    status = seen.status
    if isinstance(status, Status) and status.record is Record.DONE and not seen.damage:
        return False  # most are; the state costs more
    return ACTIONS[seen.state] in STARTS


def _legs(planned: Planned) -> Callable[[int, float], Sequence[Leg]]:
    """Return a function of a place and the share that is left of its run to the legs that are expected."""
    decisions, halving = planned.plan.decisions, planned.halving
    if halving is None or decisions.stage is None:
        return lambda _, left: (Leg(left),)
    outlook = Outlook(decisions, decisions.stage, halving)

    def expected(place: int, left: float) -> Sequence[Leg]:
        legs = outlook.legs(place)
        return (Leg(left),) if legs is None else legs or (Leg(0.0),)

    return expected


def _look_ahead(planned: Planned, places: Sequence[int]) -> list[Ahead]:
    """Return what is ahead of the runs at some places."""
    decisions = planned.plan.decisions
    seen = dict(decisions.observed())
    keys, legs_of = [axis.key for axis in planned.described.axes], _legs(planned)
    begun = [place for place in places if place in seen]
    sizes = {
        place: float(bytes_of(planned.experiment.run(decisions.run_id(place))))
        for place in pick_some(begun, _MEASURED)
    }
    usual = fmean(sizes.values()) if sizes else 0.0
    ahead = []
    for place in places:
        saved = _saved_share(decisions, place, seen.get(place))
        legs = legs_of(place, 1.0 - saved)
        left = sum(leg.chance * leg.share for leg in legs)
        point = _values_of(keys, decisions.run(place).overrides)
        if place in seen:
            ahead.append(Ahead(point, legs, min(1.0, saved + left), sizes.get(place, usual)))
        else:
            ahead.append(Ahead(point, legs, min(left, _MOST_OWN) if saved else left))
    return ahead


def _saved_share(decisions: Decisions, place: int, seen: Observation | None) -> float:
    """Return the share of a run that is saved, or that it begins with, of a run that it extends."""
    saved = decisions.saved(place)
    if not saved:
        return 0.0
    progress = seen.progress if seen else None
    total = progress.iterations if progress else total_of(decisions.run(place).config)
    return min(1.0, saved / total) if total else 0.0


def _learn(
    planned: Planned, ahead: Sequence[Ahead], own: Siblings, earlier: Siblings | None = None
) -> Learned:
    """Return what finished runs tell about those ahead."""
    earlier = earlier or Siblings()
    keys = [*(axis.key for axis in planned.described.axes), *earlier.now]
    runs = [*own.runs, *earlier.runs]
    points = [_values_of(keys, {**earlier.now, **run.point}) for run in runs]
    marks = list(map(marks_of, points))
    progress = [run.directory.read_progress() for run in runs]
    counts = [
        (each, it.iterations) for each, it in zip(marks, progress, strict=True) if it is not None
    ]
    counted = earlier.counted or find_counted_axis(counts)
    numbers = {repr(point.get(counted)) for point in (*points, *(run.point for run in ahead))}
    is_begun = any(leg.share < 1 for run in ahead for leg in run.legs)
    return Learned(
        [(each, run.seconds) for each, run in zip(marks, runs, strict=True)],
        _sizes(marks, runs),
        counted,
        earlier.experiments,
        own.pause,
        _parts(marks, runs) if is_begun or len(numbers) > 1 else (),
    )


def _parts(marks: Sequence[Marks], runs: Sequence[Sibling]) -> list[tuple[Marks, TimedParts]]:
    """Return the parts of the seconds of some runs, as far as they are known."""
    found = []
    for at in _pick_of_each(marks):
        directory = runs[at].directory
        if parts := parts_of(directory, directory.read_status()):
            found.append((marks[at], parts))
    return found


def _values_of(keys: Sequence[str], point: Mapping[str, Value]) -> dict[str, Value]:
    """Return the values of a point on all axes, also on those with conditions that are not set there."""
    return {key: point.get(key, "unset") for key in keys}


def _sizes(marks: Sequence[Marks], runs: Sequence[Sibling]) -> list[tuple[Marks, float]]:
    """Return the sizes of some runs."""
    return [(marks[at], float(bytes_of(runs[at].directory))) for at in _pick_of_each(marks)]


def _pick_of_each(marks: Sequence[Marks]) -> Sequence[int]:
    """Return the places of some runs: of each value on each axis one, as far as possible."""
    chosen: list[int] = []
    covered: set[tuple[str, str]] = set()
    for at, each in enumerate(marks):
        if not covered.issuperset(each) and len(chosen) < _MOST_MEASURED:
            chosen.append(at)
            covered.update(each)
    more = pick_some(range(len(marks)), max(0, _MEASURED - len(chosen)))
    return list(dict.fromkeys((*chosen, *more)))
