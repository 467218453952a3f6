"""The order of runs at a rung: the best first, and failed ones last."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from orchestrator.planning.value_at_iteration import find_shared_iteration, last_up_to, value_at

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

    @property
    def has_failed(self) -> bool:
        """Whether it has failed, before a rung or after it: then it is the last one at every rung."""
        return self.end is End.FAILED

    def rank(self, iteration: int, *, is_less_better: bool) -> tuple[int, float, RunId]:
        """Return what runs are sorted by after an iteration: the best value first, failed runs last.

        Runs with equal values are ordered by their IDs.
        """
        if self.has_failed:
            return 2, 0.0, self.run_id
        value = value_at(self.curve, iteration)
        if not math.isfinite(value):  # it has diverged, or has no value
            return 1, 0.0, self.run_id
        return 0, value if is_less_better else -value, self.run_id


@dataclass(frozen=True, slots=True)
class Order:
    """The order of runs at a rung; ``unevenness`` is as for ``Rung``."""

    places: Sequence[int] = ()
    unevenness: str = ""


NOBODY: Final = Order()


def count_failed(places: Sequence[int], contestants: Mapping[int, Contestant]) -> int:
    """Return how many of the runs at these places have failed."""
    return sum(contestants[at].has_failed for at in places)


def rank(
    places: Sequence[int], contestants: Mapping[int, Contestant], rung: int, halving: Halving
) -> Order:
    """Compare runs by their values after the last iteration up to a rung that all of them have logged.

    A program may log every few iterations only, and a value may be lost: that of an earlier iteration
    does not take its place. Runs that finished before the rung count with their last value.
    """
    iteration, unevenness = _find_iteration([contestants[at] for at in places], rung)

    def key(at: int) -> tuple[int, float, RunId]:
        run = contestants[at]
        has_finished = run.end is End.DONE and run.reached < rung
        after = rung if has_finished else iteration
        return run.rank(after, is_less_better=halving.is_less_better)

    return Order(sorted(places, key=key), unevenness)


def _find_iteration(runs: Sequence[Contestant], rung: int) -> tuple[int, str]:
    """Return the iteration after which runs are compared at a rung, and why it is an earlier one."""
    curves = [it.curve for it in runs if it.reached >= rung and not it.has_failed]
    last = {found for curve in curves if (found := last_up_to(curve, rung)) is not None}
    if len(last) <= 1:
        return rung, ""
    shared = find_shared_iteration(curves, rung)
    if shared is None:
        return rung, "compared by their last values, as no iteration was logged by all"
    return shared, f"compared after iteration {shared}, the last that all have logged"
