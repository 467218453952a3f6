"""The forecast of a grid: how long it takes, for how many hours of slots or GPUs, and its disk space."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from heapq import heapify, heapreplace
from itertools import chain
from math import exp, hypot, log, sqrt
from statistics import median
from typing import TYPE_CHECKING, Final

from orchestrator.execution.cost_model import DOUBT, CostModel, marks_of
from orchestrator.execution.start_and_pace import fit_paces
from orchestrator.planning.halving_cost import Leg

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestrator.execution.cost_model import Expected, Mark, Marks
    from orchestrator.execution.start_and_pace import StartAndPace, TimedParts
    from orchestrator.grid.config_values import Value

_LEAST: Final = 1e-3  # share of a run that an attempt takes, even if all iterations are saved
_DRIFT: Final = 0.1  # how much faster or slower the machine may be than it was
# Runs alike leave almost the same files: a checkpoint more where the best one is not among the last.
_NOISE_OF_SIZES: Final = 0.1
# Between programs that keep the last checkpoint and those that keep all; the range holds both.
_POWER_OF_SIZES: Final = 0.5
_WIDEST: Final = 50.0  # logarithm, so that no number overflows
_VAGUE: Final = (
    1000.0  # a factor of more than this between what is expected and what may be says nothing
)


@dataclass(frozen=True, slots=True)
class Learned:
    """What finished runs tell: the marks of each, its seconds, and the bytes of some.

    ``counted`` is the axis with the number of iterations, if there is one. Of the ``runs``, some may be
    of earlier ``experiments``. ``pause`` is the time in seconds between two runs of a slot. The
    ``parts`` of the seconds, of some runs, count where runs differ in their number of iterations, or an
    attempt computes some of them only.
    """

    seconds: Sequence[tuple[Marks, float]] = ()
    sizes: Sequence[tuple[Marks, float]] = ()
    counted: str = ""
    experiments: tuple[str, ...] = ()
    pause: float = 0.0
    parts: Sequence[tuple[Marks, TimedParts]] = ()

    @property
    def start(self) -> float:
        """The seconds that an attempt usually takes besides its iterations; 0 if unknown."""
        return median([parts.start for _, parts in self.parts] or [0.0])


@dataclass(frozen=True, slots=True)
class Ahead:
    """A run that is to be executed: the values of its axes, and the legs that are left of it.

    On the disk it will take what runs with a share of its iterations take, its ``reach``, of which
    some bytes are ``there`` already.
    """

    point: Mapping[str, Value]
    legs: Sequence[Leg] = (Leg(),)
    reach: float = 1.0
    there: float = 0.0


@dataclass(frozen=True, slots=True)
class Capacity:
    """The slots of the execution, and the GPUs that they share; ``default`` says where they come from."""

    slots: int
    gpus: int = 0
    default: str = ""
    gpus_per_run: int = 1


@dataclass(frozen=True, slots=True)
class Range:
    """An expected amount, and the range that holds the true one in 19 of 20 cases."""

    expected: float
    low: float
    high: float

    def times(self, factor: float) -> Range:
        """Return the range times a factor."""
        return Range(self.expected * factor, self.low * factor, self.high * factor)

    def plus(self, amount: float) -> Range:
        """Return the range with an amount added."""
        return Range(self.expected + amount, self.low + amount, self.high + amount)


@dataclass(frozen=True, slots=True)
class Forecast:
    """The forecast for the ``known`` ones of ``runs`` that are to be executed.

    ``time`` is by the clock, ``slot_time`` that of all slots together, both in seconds; ``disk`` is in
    bytes. They are None if nothing is known, or next to nothing. ``unknown`` are the values about which no finished run
    tells anything, the most frequent first. ``learned_from`` counts finished runs.
    """

    runs: int
    capacity: Capacity
    known: int = 0
    time: Range | None = None
    slot_time: Range | None = None
    disk: Range | None = None
    unknown: tuple[Mark, ...] = ()
    learned_from: int = 0
    experiments: tuple[str, ...] = ()

    @property
    def gpu_time(self) -> Range | None:
        """The seconds of all GPUs together, which slots may share; None without GPUs."""
        if self.slot_time is None or not self.capacity.gpus:
            return None
        each = min(self.capacity.gpus_per_run, self.capacity.gpus / self.capacity.slots)
        return self.slot_time.times(each)

    @property
    def is_whole(self) -> bool:
        """Whether it covers all runs."""
        return self.time is not None and self.known == self.runs


@dataclass(frozen=True, slots=True)
class Executed:
    """The seconds that the execution of a plan took, and the forecast for it, if there was one."""

    seconds: float
    forecast: Forecast | None = None

    @property
    def expected(self) -> Range | None:
        """The seconds that were forecast, if all runs were known."""
        return self.forecast.time if self.forecast and self.forecast.is_whole else None


def make_forecast(
    ahead: Sequence[Ahead], learned: Learned, capacity: Capacity, runs: int | None = None
) -> Forecast:
    """Forecast the execution of runs, in their order.

    Args:
        ahead: The runs, or some of them if there are many.
        learned: What is known of finished ones.
        capacity: Where they are executed.
        runs: How many there are; None: those given.
    """
    count = len(ahead) if runs is None else runs
    if count < capacity.slots:
        capacity = replace(capacity, slots=max(1, count), default="one per run")
    told = Forecast(count, capacity, experiments=learned.experiments)
    if not (learned.seconds and ahead):
        return told
    model = CostModel(learned.seconds, learned.counted)
    marks = [marks_of(run.point) for run in ahead]
    paces = fit_paces(learned.parts, learned.counted)
    expected = [_expect(each, model, paces) for each in marks]
    unknown = Counter(mark for each in expected for mark in each.unknown)
    told = replace(
        told,
        unknown=tuple((axis, _unquoted(text)) for (axis, text), _ in unknown.most_common()),
        learned_from=len(learned.seconds),
    )
    known_at = [at for at, each in enumerate(expected) if not each.unknown]
    if not known_at:
        return told
    factor = count / len(ahead)
    timed = [
        [(leg, _time_of(leg, expected[at].cost, learned.start)) for leg in ahead[at].legs]
        for at in known_at
    ]
    seconds = [sum(leg.chance * each for leg, each in legs) for legs in timed]
    basis = [expected[at] for at in known_at]
    slot_time = _range(seconds, basis, factor, drift=_DRIFT)
    if slot_time.high > _VAGUE * slot_time.expected:
        return told
    stages = _by_stage(timed, factor)
    clock = sum(_makespan(*stage, capacity.slots) for stage in stages)
    rounds = sum(max(1.0, each * len(some) / capacity.slots) for some, each in stages)
    return replace(
        told,
        known=round(factor * len(known_at)),
        time=slot_time.times(clock / slot_time.expected).plus(learned.pause * rounds),
        slot_time=slot_time,
        disk=_disk([(marks[at], ahead[at]) for at in known_at], learned, factor),
    )


def _expect(marks: Marks, model: CostModel, paces: StartAndPace | None) -> Expected:
    """Return the expected seconds of a run: by its pace, unless runs with the same values tell them."""
    told = None if paces is None or model.knows(marks) else paces.expect(marks)
    return told or model.expect(marks)


def _unquoted(text: str) -> str:
    return text[1:-1] if text[:1] in ("'", '"') else text


def _time_of(leg: Leg, cost: float, start: float) -> float:
    """Return the seconds of an attempt that computes a leg of a run with some cost."""
    start, share = min(start, cost), max(_LEAST, leg.share)
    return start + share * (cost - start) if start else cost * share


def _by_stage(
    timed: Iterable[Sequence[tuple[Leg, float]]], factor: float
) -> list[tuple[list[float], float]]:
    """Return the seconds of the attempts of each stage, and for how many runs each of them stands.

    Which runs come to a stage is not known: as many as are expected to, evenly spread and with the
    expected sum, stand for them.
    """
    stages: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for leg, seconds in chain.from_iterable(timed):
        stages[leg.stage].append((leg.chance, seconds))
    found = []
    for legs in stages.values():
        runs = factor * sum(chance for chance, _ in legs)
        count = min(len(legs), max(1, round(runs)))
        some = [legs[int((at + 0.5) * len(legs) / count)][1] for at in range(count)]
        each = max(1.0, runs / len(legs))
        scale = factor * sum(chance * seconds for chance, seconds in legs) / sum(some) / each
        found.append(([scale * seconds for seconds in some], each))
    return found


def _disk(runs: Sequence[tuple[Marks, Ahead]], learned: Learned, factor: float) -> Range | None:
    """Return the bytes that runs add to those there; None if that is not known of all of them."""
    if not learned.sizes:
        return None
    model = CostModel(learned.sizes, learned.counted, _NOISE_OF_SIZES, _POWER_OF_SIZES)
    expected = [model.expect(marks) for marks, _ in runs]
    if any(each.unknown for each in expected):
        return None
    costs, told = [], []
    for each, (_, run) in zip(expected, runs, strict=True):
        distance = -log(max(_LEAST, run.reach))
        costs.append(max(run.there, each.cost * exp(-_POWER_OF_SIZES * distance)))
        told.append(replace(each, doubt=hypot(each.doubt, DOUBT * distance)))
    added = _range(costs, told, factor)
    ends = [max(run.there, each.cost) for each, (_, run) in zip(expected, runs, strict=True)]
    most = _range(ends, expected, factor).high
    there = factor * sum(run.there for _, run in runs)
    return Range(
        *(max(0.0, it - there) for it in (added.expected, added.low, min(added.high, most)))
    )


def _range(
    costs: Sequence[float], told: Sequence[Expected], factor: float, *, drift: float = 0.0
) -> Range:
    """Return the sum of costs: each has noise of its own, and they may share what is doubtful."""
    total = sum(costs)
    own = sum((cost * each.noise) ** 2 for cost, each in zip(costs, told, strict=True)) / factor
    shared = sum(cost * each.doubt for cost, each in zip(costs, told, strict=True))
    deviation = sqrt((own + shared**2) / total**2 + drift**2)
    freedom = min(each.freedom for each in told)
    width = exp(min(_WIDEST, _quantile(freedom) * deviation))
    return Range(total * factor, total * factor / width, total * factor * width)


def _quantile(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's t distribution, to 1 %, from 3 degrees of freedom on."""
    return 1.96 + 2.4 / freedom + 3.8 / freedom**2


def _makespan(seconds: Sequence[float], each: float, slots: int) -> float:
    """Return the time until all runs of a stage are over: one starts in the first slot that becomes free.

    Where each of the given runs stands for several, the end counts once.
    """
    free = [0.0] * min(slots, len(seconds))
    heapify(free)
    for it in seconds:
        heapreplace(free, free[0] + it)
    return max(free) + (each - 1) * sum(seconds) / slots
