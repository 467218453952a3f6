"""The pace of runs that share a GPU: how many may share it before they stop being faster together.

The number that may share it begins small and doubles as long as that pays: at each level, the work that all
runs on the GPU do per second is measured, their starts included. If a level is not faster than the one
before, that one is kept. An iteration of each kind of run counts what it took when it was first seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.execution.cost_model import Marks
    from orchestrator.grid.identity import RunId

_FIRST: Final = 4  # on an H200, four small runs take turns without a loss
_PAYS: Final = 1.05
_STEPS: Final = 2  # iterations that tell a pace
_TIMES: Final = 3.0  # how much longer than its start a run is watched


@dataclass(frozen=True, slots=True)
class Sight:
    """A run at one moment: its kind, the iterations that it has done, and when it started.

    ``settled_at`` is when it had completed its first iteration (None: not yet), ``is_over`` whether it
    has ended. A run that reports no iterations does one, which ends with it. Moments are of one clock.
    """

    run_id: RunId
    kind: Marks
    since: float
    done: int
    settled_at: float | None
    is_over: bool = False


@dataclass(slots=True)
class SharingPace:
    """Says how many runs may share a GPU now: ``most``, which never exceeds ``limit``."""

    limit: int
    most: int = 0
    _before: tuple[int, float] | None = None
    _is_found: bool = False
    _since: float | None = None  # when this level was reached
    _began: dict[RunId, int] = field(default_factory=dict)  # iterations done before that
    _seen: dict[RunId, Sight] = field(default_factory=dict)  # as last seen
    _told: set[RunId] = field(default_factory=set)
    _weights: dict[Marks, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with the first level."""
        self.most = min(_FIRST, self.limit)

    def see(self, sights: Sequence[Sight], moment: float) -> None:
        """Take a look at the runs on the GPU, those that have just ended included."""
        if self._is_found:
            return
        if self._since is None:
            if len(sights) < self.most:
                return
            self._since, self._told = moment, set()
            self._seen = {each.run_id: each for each in sights}
            self._began = {each.run_id: each.done for each in sights}
            return
        for sight in sights:
            self._seen[sight.run_id] = sight
            self._weigh(sight, moment)
            if self._tells(sight, moment, self._since):
                self._told.add(sight.run_id)
        if len(self._told) >= self.most:
            self._judge(moment - self._since)

    def _weigh(self, sight: Sight, moment: float) -> None:
        if sight.done >= _STEPS or (sight.is_over and sight.done):
            self._weights.setdefault(sight.kind, (moment - sight.since) / sight.done)

    @staticmethod
    def _tells(sight: Sight, moment: float, since: float) -> bool:
        """Return whether a run has been watched long enough, compared with its start."""
        if sight.is_over:
            return True
        if sight.settled_at is None:
            return False
        watched = moment - max(since, sight.since)
        return sight.done >= _STEPS and watched >= _TIMES * (sight.settled_at - sight.since)

    def _judge(self, seconds: float) -> None:
        work = sum(
            self._weights.get(each.kind, 0.0) * (each.done - self._began.get(run_id, 0))
            for run_id, each in self._seen.items()
        )
        rate = work / seconds if seconds > 0 else 0.0
        if self._before and rate < _PAYS * self._before[1]:
            self.most, self._is_found = self._before[0], True
            return
        self._is_found = self.most == self.limit
        self._before = self.most, rate
        self.most, self._since = min(2 * self.most, self.limit), None
