"""Rungs: which runs go on from each of them, and which are paused; a function of their curves alone.

The same curves give the same decision, in whatever order runs came to a rung, and whatever was killed
meanwhile: nothing else is remembered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from itertools import count
from typing import TYPE_CHECKING, Final

from orchestrator.planning.rung_order import NOBODY, End, count_failed, rank

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.config.halving_settings import Halving
    from orchestrator.planning.rung_order import Contestant


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

    @property
    def is_open(self) -> bool:
        """Whether the run is still to go on, now or later."""
        return self.verdict in (RungVerdict.GOES_ON, RungVerdict.WAITS)

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

    ``arrived`` counts those as well that have ``failed``, for which nobody waits. ``unevenness`` is how
    the others were compared if some have logged later iterations than others; otherwise it is empty.
    """

    iteration: int
    runs: int
    arrived: int
    best: int
    failed: int = 0
    unevenness: str = ""

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
        failed = count_failed(left, contestants)
        best = min(_keep(found, halving), found - failed)
        here = Rung(rung, found, len(left) - len(missing), best, failed)
        awaited = len(missing) + pending
        order = NOBODY if awaited else rank(left, contestants, rung, halving)
        rungs.append(replace(here, unevenness=order.unevenness))
        if awaited:
            waits = Standing(RungVerdict.WAITS, rung=rung, awaited=awaited)
            goes = {at: replace(standings[at], stop_after=rung) for at in missing}
            standings |= dict.fromkeys(left, waits) | goes
            others = replace(_TO_END, stop_after=rung)
            break
        for place, at in enumerate(order.places, start=1):
            verdict = RungVerdict.GOES_ON if place <= best else RungVerdict.PAUSED
            standings[at] = Standing(verdict, None, rung, place, found, best)
        left = [*order.places[:best]]
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
        order = rank(here, contestants, rung, halving)
        failed = count_failed(here, contestants)
        best = min(len(here) // halving.factor, len(here) - failed)
        runs = max(expected, len(here))
        rungs.append(Rung(rung, runs, len(here), best, failed, order.unevenness))
        expected = _keep(expected, halving)
        for place, at in enumerate(order.places, start=1):
            verdict = RungVerdict.GOES_ON if place <= best else RungVerdict.PAUSED
            standings[at] = Standing(verdict, beyond, rung, place, len(here), best)
        arrived = [*order.places]
    found = _with_ends(standings, contestants)
    if not pending and not any(each.verdict is RungVerdict.GOES_ON for each in found.values()):
        found |= _one_more(found, contestants)
    return Stage(found, others, rungs, len(contestants) + pending)


def _is_at(contestant: Contestant, rung: int, number: int) -> bool:
    """Return whether a run counts at a rung without waiting: one that failed counts at the first only."""
    if contestant.end is End.FAILED and number:
        return contestant.reached >= rung
    return contestant.has_reached(rung)


def _one_more(
    found: Mapping[int, Standing], contestants: Mapping[int, Contestant]
) -> Mapping[int, Standing]:
    """Let the best run of the last rung go on to the end, where they are too few for the factor."""
    sound = {at: each for at, each in found.items() if not contestants[at].has_failed}
    last = max((each.rung or 0 for each in sound.values()), default=0)
    return {
        at: replace(each, verdict=RungVerdict.GOES_ON, stop_after=None, best=1)
        for at, each in sound.items()
        if (each.verdict, each.rung, each.place) == (RungVerdict.PAUSED, last, 1)
    }


def _keep(runs: int, halving: Halving) -> int:
    return max(1, runs // halving.factor)


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
