"""The failure policy: when a failed run is retried, and when the whole execution pauses or ends."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Final

from orchestrator.runner.failure_classes import PASSING, FailureKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.config.orch_settings import Policy
    from orchestrator.grid.identity import RunId
    from orchestrator.rundir.state import Failure

# Causes that several runs in a row probably share.
_SHARED: Final = frozenset((FailureKind.ERROR, FailureKind.DISK_FULL, FailureKind.CONFIG_MISMATCH))
_FIRST_DELAY: Final = 1.0
_LONGEST_DELAY: Final = 60.0
_IN_A_ROW: Final = 5
_PAUSES: Final = (5.0, 10.0, 20.0)
_OWN: Final = re.compile(r"'[^']*'|[0-9a-f]{8,}|\d+")


@dataclass(frozen=True, slots=True)
class Retry:
    """A run is retried after ``delay`` seconds, perhaps alone on its GPU."""

    delay: float
    alone: bool = False


@dataclass(slots=True)
class RetryHistory:
    """The failed attempts at one run within this ``orch run``."""

    failures: int = 0
    saved: int | None = None
    was_alone: bool = False


@dataclass(slots=True)
class Histories:
    """The failed attempts within this ``orch run``, by run; most runs have none."""

    policy: Policy
    _of: dict[RunId, RetryHistory] = field(default_factory=dict)

    def retry(self, run_id: RunId, failure: Failure, saved: int, *, shared: bool) -> Retry | None:
        """Decide whether a run whose attempt has failed is retried.

        Args:
            run_id: The run.
            failure: How the attempt failed.
            saved: The iterations that are saved.
            shared: Whether other runs of this process were on the attempt's GPU.
        """
        if failure.kind not in PASSING:
            return None
        history = self._of.setdefault(run_id, RetryHistory())
        has_progressed = history.saved is None or saved > history.saved
        history.failures += 1
        history.saved = saved
        if failure.kind == FailureKind.OUT_OF_MEMORY:
            if history.was_alone:
                return None
            if shared:
                history.was_alone = True
                return Retry(0.0, alone=True)
        if history.failures > self.policy.retries or not has_progressed:
            return None
        return Retry(min(_FIRST_DELAY * 2 ** (history.failures - 1), _LONGEST_DELAY))


@dataclass(slots=True)
class CircuitBreaker:
    """Detects that run after run fails with the same error: something that all of them need is broken.

    It asks for a pause before the next run starts, then for longer ones, and finally to give up: the
    next ``orch run`` starts what is left.
    """

    _last: Failure | None = None
    _in_a_row: int = 0
    _pauses: int = 0

    def note(self, failure: Failure | None) -> float | None:
        """Record the end of an attempt; return the seconds to pause, infinity to give up."""
        if failure is None or failure.kind not in _SHARED or not self._is_the_same(failure):
            self._last, self._in_a_row, self._pauses = failure, 1 if failure else 0, 0
            return None
        self._last = failure
        self._in_a_row += 1
        if self._in_a_row < _IN_A_ROW:
            return None
        self._pauses += 1
        return _PAUSES[self._pauses - 1] if self._pauses <= len(_PAUSES) else inf

    @property
    def is_testing(self) -> bool:
        """Whether a pause was asked for, and no run has ended otherwise since."""
        return self._pauses > 0

    @property
    def says(self) -> str:
        """What to tell the user."""
        what = f"{self._last.kind}: {self._last.message}" if self._last else ""
        return f"{self._in_a_row} runs in a row failed in the same way ({what})"

    def _is_the_same(self, failure: Failure) -> bool:
        """Compare with the previous failure; quoted names and numbers may differ between runs."""
        if self._last is None or failure.kind != self._last.kind:
            return False
        before, now = (_OWN.sub("#", each.message) for each in (self._last, failure))
        return before == now


@dataclass(slots=True)
class Pacing:
    """Decides after each run how the others continue: at once, one by one, later, or not at all.

    ``gave_up`` says why not at all. Moments are seconds of a monotonic clock.
    """

    policy: Policy
    gave_up: str = ""
    _breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    _failures: int = 0
    _until: float = 0.0

    def note(
        self, failure: Failure | None, began: float, moment: float, *, is_more: bool
    ) -> float | None:
        """Take the end of an attempt that began at a moment; return for how long nothing starts now.

        What had begun before a pause says nothing new about what the pause was for.
        """
        self._failures += failure is not None
        pause = None
        if failure is None or began >= self._until:
            pause = self._breaker.note(failure)
        if self._failures >= (self.policy.most_failures or inf):
            self.gave_up = self.gave_up or f"{self._failures} failed, which is the most allowed"
        elif pause is not None and is_more:
            self._until = moment + pause
            self.gave_up = self.says if pause == inf else self.gave_up
            return pause
        return None

    def holds(self, moment: float, begun: Iterable[float]) -> bool:
        """Return whether nothing starts now: in a pause, and after it while one run tests it.

        ``begun`` is when the live attempts started.
        """
        is_tried = self._breaker.is_testing and any(began >= self._until for began in begun)
        return is_tried or moment < self._until

    @property
    def says(self) -> str:
        """What to tell the user."""
        return self._breaker.says
