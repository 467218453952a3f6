"""What a halved grid costs: its rungs, and how many iterations are computed instead of all."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, repeat
from typing import TYPE_CHECKING, Final

from orchestrator.grid.extension import total_of
from orchestrator.planning.rung_decisions import Rung, RungVerdict
from orchestrator.rundir.state import NOTHING_THERE, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orchestrator.config.halving_settings import Halving
    from orchestrator.planning.plan import Decisions
    from orchestrator.planning.rung_decisions import Stage, Standing

_LOOKED_AT: Final = 2000  # runs; of more, these are evenly spread


@dataclass(frozen=True, slots=True)
class Remaining:
    """A run ahead: its standing, and how many of its ``total`` iterations are ``saved``."""

    standing: Standing
    saved: int
    total: int


@dataclass(frozen=True, slots=True)
class Leg:
    """A share of a run that one attempt computes: up to the next rung, or from the last one to the end.

    It is computed with a ``chance``. The legs of a ``stage`` begin when all those before it are over.
    """

    share: float = 1.0
    chance: float = 1.0
    stage: int = 0


@dataclass(frozen=True, slots=True)
class Cost:
    """The iterations that are left: expected with halving, and for all runs to their ends."""

    halved: float
    whole: float


def list_rungs(stage: Stage, runs: int, halving: Halving, longest: int | None) -> list[Rung]:
    """Return the rungs of a grid: how many runs are compared at each, and how many have come to it.

    Args:
        stage: Where the runs are.
        runs: The number of all runs.
        halving: How they are compared.
        longest: The most iterations of a run; None: unknown, then only rungs are listed that a run has
            reached, or is trained to.
    """
    known = {rung.iteration: rung for rung in stage.rungs}
    found: list[Rung] = []
    left = runs
    for number in count():
        iteration = halving.rung(number)
        if iteration is None or left <= 1 or (longest is not None and iteration >= longest):
            return found
        if longest is None and iteration not in known:
            return found
        there = known.get(iteration, Rung(iteration, left, 0, 0))
        runs = max(left, there.arrived)
        best = min(max(1, left // halving.factor), runs - there.failed)
        found.append(Rung(iteration, runs, there.arrived, best, there.failed))
        left = best
    raise AssertionError  # the count has no end


def expect_cost(ahead: Iterable[Remaining], rungs: Sequence[Rung]) -> Cost:
    """Return the iterations that are left, if every run is equally likely to go on from a rung."""
    halved = whole = 0.0
    for each in ahead:
        whole += max(0, each.total - each.saved)
        halved += each.total * sum(leg.share * leg.chance for leg in list_legs(each, rungs))
    return Cost(halved, whole)


def list_legs(ahead: Remaining, rungs: Sequence[Rung]) -> list[Leg]:
    """Return the legs of a run that are left, in their order."""
    standing, total = ahead.standing, ahead.total
    if standing.verdict in (RungVerdict.PAUSED, RungVerdict.OVER):
        return []
    at = ahead.saved
    aim = standing.rung if standing.verdict is RungVerdict.WAITS else standing.stop_after
    following = [rung for rung in rungs if aim is not None and rung.iteration >= aim]
    first = len(rungs) - len(following)
    if aim is None or aim >= total or not following:  # nobody is compared with it any more
        return [Leg(max(0, total - at) / total, stage=first)]
    legs, chance = [Leg(max(0, aim - at) / total, stage=first)], 1.0
    for stage, rung in enumerate(following, start=first + 1):
        chance *= max(1, rung.best) / rung.runs
        end = min(total, rungs[stage].iteration) if stage < len(rungs) else total
        legs.append(Leg(max(0, end - max(rung.iteration, at)) / total, chance, stage))
    return [leg for leg in legs if leg.share]


class Outlook:
    """What is ahead of a halved grid, as far as the number of iterations is known.

    A run's own progress tells it, or else the key ``iterations`` of its config.
    """

    def __init__(self, decisions: Decisions, stage: Stage, halving: Halving) -> None:
        self._decisions = decisions
        self._stage = stage
        self._seen = dict(decisions.observed())
        self._places = range(0, len(decisions), -(-len(decisions) // _LOOKED_AT) or 1)
        known = {at: self._total(at) for at in self._places}
        totals = [total for total in known.values() if total is not None]
        self.is_known = all(each is not None or self._is_done(at) for at, each in known.items())
        longest = max(totals, default=None) if self.is_known else None
        self.longest = longest
        self.rungs = list_rungs(stage, stage.runs, halving, longest)

    def legs(self, place: int) -> list[Leg] | None:
        """Return the legs of a run that are left; None if they are unknown."""
        ahead = self._ahead(place)
        return None if ahead is None else list_legs(ahead, self.rungs)

    def cost(self) -> Cost | None:
        """Return the iterations that are left; None if they are unknown."""
        if not self.is_known:
            return None
        found = expect_cost(filter(None, map(self._ahead, self._places)), self.rungs)
        scale = len(self._decisions) / max(1, len(self._places))
        later = expect_cost(self._to_come(), self.rungs)
        return Cost(found.halved * scale + later.halved, found.whole * scale + later.whole)

    def _to_come(self) -> Iterable[Remaining]:
        """Return the runs of a search that are not chosen yet, as long as the others on average."""
        known = [total for at in self._places if (total := self._total(at)) is not None]
        if not known:
            return ()
        each = Remaining(self._stage.others, 0, round(sum(known) / len(known)))
        return repeat(each, self._stage.runs - len(self._decisions))

    def _ahead(self, place: int) -> Remaining | None:
        total = self._total(place)
        if total is None or self._is_done(place):
            return None
        return Remaining(self._stage.of(place), min(total, self._decisions.saved(place)), total)

    def _is_done(self, place: int) -> bool:
        return self._seen.get(place, NOTHING_THERE).state is State.DONE

    def _total(self, place: int) -> int | None:
        seen = self._seen.get(place)
        if seen is not None and seen.progress is not None:
            return seen.progress.iterations
        return total_of(self._decisions.run(place).config)
