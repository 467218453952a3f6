"""Rungs: which runs go on from each of them, and which are paused; a function of their curves alone.

The same curves give the same decision, in whatever order runs came to a rung, and whatever was killed
meanwhile: nothing else is remembered.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import count
from typing import TYPE_CHECKING, Final

from orchestrator.planning.value_at_iteration import value_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.config.halving_settings import Halving
    from orchestrator.grid.identity import RunId
    from orchestrator.planning.learning_curves import Curve


class End(Enum):
    """Whether a run can go on."""

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"  # and is not retried


@dataclass(frozen=True, slots=True)
class Contestant:
    """A run as it is compared: the metric by iteration, and the iterations that it has reported."""

    run_id: RunId
    curve: Curve = field(default_factory=dict)
    reached: int = 0
    end: End = End.OPEN

    def has_reached(self, rung: int) -> bool:
        """Return whether a rung need not wait for it."""
        return self.end is not End.OPEN or self.reached >= rung

    def has_failed_before(self, rung: int) -> bool:
        """Return whether it has failed, and not come to a rung."""
        return self.end is End.FAILED and self.reached < rung

    def rank(self, rung: int, *, is_less_better: bool) -> tuple[int, float, RunId]:
        """Return what runs are sorted by at a rung: the best value first, failed runs last.

        Runs with equal values are ordered by their IDs.
        """
        value = value_at(self.curve, rung)
        if self.has_failed_before(rung):
            return 2, 0.0, self.run_id
        if not math.isfinite(value):  # it has diverged, or has no value
            return 1, 0.0, self.run_id
        return 0, value if is_less_better else -value, self.run_id


class RungVerdict(Enum):
    """What becomes of a run."""

    GOES_ON = "goes on"
    WAITS = "waits"  # at a rung, for the others
    PAUSED = "paused"  # others were better
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Standing:
    """What becomes of a run, and why: its place among the runs that were compared at a rung.

    ``stop_after`` is the next rung; None: it is trained to the end. ``awaited`` counts the runs that it
    waits for. ``rung`` is None as long as it was not compared.
    """

    verdict: RungVerdict
    stop_after: int | None = None
    rung: int | None = None
    place: int = 0
    of: int = 0
    best: int = 0
    awaited: int = 0

    @property
    def is_held(self) -> bool:
        """Whether the run does not go on now."""
        return self.verdict in (RungVerdict.WAITS, RungVerdict.PAUSED)

    def goes_to(self, rung: int) -> bool:
        """Return whether the run is trained to a rung."""
        return self.verdict is RungVerdict.GOES_ON and self.stop_after == rung

    def explain(self, reason: str, *, is_over: bool) -> str:
        """Return why a run is in its state, and where it stands.

        Args:
            reason: Why it is in its state.
            is_over: It is done.
        """
        told = self.describe()
        if is_over or not told:
            return reason
        return f"paused: {told}" if self.is_held else f"{reason}; {told}"

    def describe(self) -> str:
        """Return in one clause where the run stands; empty if it was not compared."""
        if self.verdict is RungVerdict.WAITS:
            others = f"{self.awaited} other{'s' * (self.awaited != 1)}"
            return f"it waits after iteration {self.rung} for {others}"
        if self.rung is None:
            return ""
        place = f"place {self.place} of {self.of} after iteration {self.rung}"
        if self.verdict is RungVerdict.OVER and not self.best:
            return place
        if not self.best:
            return f"{place}, too few to choose from"
        return f"{place}, the best {'goes' if self.best == 1 else f'{self.best} go'} on"


@dataclass(frozen=True, slots=True)
class Rung:
    """A rung: ``arrived`` of ``runs`` runs have reached it, and the ``best`` go on.

    ``arrived`` counts those as well that have ``failed`` before, for which nobody waits.
    """

    iteration: int
    runs: int
    arrived: int
    best: int
    failed: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether all runs have reached it."""
        return self.arrived == self.runs


@dataclass(frozen=True, slots=True)
class Stage:
    """What becomes of every run of a grid: ``standings`` by place, ``others`` for those not named.

    ``rungs`` are those that a run has reached, or is trained to now. ``runs`` is the number of all runs.
    """

    standings: Mapping[int, Standing]
    others: Standing
    rungs: Sequence[Rung]
    runs: int

    def of(self, place: int) -> Standing:
        """Return the standing of the run at a place."""
        return self.standings.get(place, self.others)

    @property
    def paused(self) -> frozenset[int]:
        """The places of the runs that others were better than."""
        named = self.standings.items()
        return frozenset(at for at, each in named if each.verdict is RungVerdict.PAUSED)

    def count(self, verdict: RungVerdict) -> int:
        """Return how many of the named runs have a verdict."""
        return sum(each.verdict is verdict for each in self.standings.values())


_TO_END: Final = Standing(RungVerdict.GOES_ON)


def find_stage(contestants: Mapping[int, Contestant], runs: int, halving: Halving) -> Stage:
    """Decide what becomes of every run.

    Args:
        contestants: The runs that have begun, or failed, by their places in the grid.
        runs: The number of all runs, also of those that are not chosen yet.
        halving: How they are compared.
    """
    find = _find_asynchronous if halving.is_asynchronous else _find_synchronous
    return find(contestants, runs - len(contestants), halving)


def _find_synchronous(
    contestants: Mapping[int, Contestant], pending: int, halving: Halving
) -> Stage:
    left = list(contestants)
    standings: dict[int, Standing] = dict.fromkeys(left, _TO_END)
    others, rungs = _TO_END, list[Rung]()
    for number in count():
        rung = halving.rung(number)
        if rung is None or len(left) + pending <= 1:
            break
        missing = [at for at in left if not contestants[at].has_reached(rung)]
        found = len(left) + pending
        failed = _count_failed(left, contestants, rung)
        best = min(_keep(found, halving), found - failed)
        rungs.append(Rung(rung, found, len(left) - len(missing), best, failed))
        if awaited := len(missing) + pending:
            waits = Standing(RungVerdict.WAITS, rung=rung, awaited=awaited)
            goes = {at: replace(standings[at], stop_after=rung) for at in missing}
            standings |= dict.fromkeys(left, waits) | goes
            others = replace(_TO_END, stop_after=rung)
            break
        left = _ranked(left, contestants, rung, halving)
        for place, at in enumerate(left, start=1):
            verdict = RungVerdict.GOES_ON if place <= best else RungVerdict.PAUSED
            standings[at] = Standing(verdict, None, rung, place, found, best)
        left = left[:best]
    return Stage(_with_ends(standings, contestants), others, rungs, len(contestants) + pending)


def _find_asynchronous(
    contestants: Mapping[int, Contestant], pending: int, halving: Halving
) -> Stage:
    standings: dict[int, Standing] = dict.fromkeys(contestants, _TO_END)
    others, rungs = _TO_END, list[Rung]()
    arrived, expected = list(contestants), len(contestants) + pending
    for number in count():
        rung, beyond = halving.rung(number), halving.rung(number + 1)
        if rung is None or len(contestants) + pending <= 1:
            break
        if number == 0:
            others = replace(_TO_END, stop_after=rung)
            standings = dict.fromkeys(contestants, others)
        here = [at for at in arrived if _is_at(contestants[at], rung, number)]
        if not here:
            if any(each.goes_to(rung) for each in (others, *standings.values())):
                rungs.append(Rung(rung, expected, 0, 0))
            break
        ranked = _ranked(here, contestants, rung, halving)
        failed = _count_failed(here, contestants, rung)
        best = min(len(ranked) // halving.factor, len(ranked) - failed)
        rungs.append(Rung(rung, max(expected, len(here)), len(here), best, failed))
        expected = _keep(expected, halving)
        for place, at in enumerate(ranked, start=1):
            verdict = RungVerdict.GOES_ON if place <= best else RungVerdict.PAUSED
            standings[at] = Standing(verdict, beyond, rung, place, len(ranked), best)
        arrived = ranked
    found = _with_ends(standings, contestants)
    if not pending and not any(each.verdict is RungVerdict.GOES_ON for each in found.values()):
        found = _with_one_more(found)
    return Stage(found, others, rungs, len(contestants) + pending)


def _is_at(contestant: Contestant, rung: int, number: int) -> bool:
    """Return whether a run counts at a rung without waiting: one that failed counts at the first only."""
    if contestant.end is End.FAILED and number:
        return contestant.reached >= rung
    return contestant.has_reached(rung)


def _with_one_more(found: Mapping[int, Standing]) -> dict[int, Standing]:
    """Let the best run of the last rung go on to the end, where they are too few for the factor."""
    last = max((each.rung or 0 for each in found.values()), default=0)
    return {
        at: replace(each, verdict=RungVerdict.GOES_ON, stop_after=None, best=1)
        if (each.verdict, each.rung, each.place) == (RungVerdict.PAUSED, last, 1)
        else each
        for at, each in found.items()
    }


def _keep(runs: int, halving: Halving) -> int:
    return max(1, runs // halving.factor)


def _count_failed(places: Sequence[int], contestants: Mapping[int, Contestant], rung: int) -> int:
    return sum(contestants[at].has_failed_before(rung) for at in places)


def _ranked(
    places: Sequence[int], contestants: Mapping[int, Contestant], rung: int, halving: Halving
) -> list[int]:
    less = halving.is_less_better
    return sorted(places, key=lambda at: contestants[at].rank(rung, is_less_better=less))


def _with_ends(
    standings: Mapping[int, Standing], contestants: Mapping[int, Contestant]
) -> dict[int, Standing]:
    """Return the standings, where runs that are over keep their place and nothing else."""
    return {
        at: each
        if contestants[at].end is End.OPEN
        else replace(each, verdict=RungVerdict.OVER, stop_after=None)
        for at, each in standings.items()
    }
