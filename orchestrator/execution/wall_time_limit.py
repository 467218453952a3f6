"""The time that is left to this process, where a cluster or the user limits it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final

from orchestrator.execution.stop_requests import StopLevel

if TYPE_CHECKING:
    from collections.abc import Callable

_SHARE: Final = 0.25  # of a short time, which is kept for the last checkpoints


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """The end of this process, in seconds of the monotonic clock, and what is kept free before it.

    ``grace`` is how many seconds before the end runs are asked for a checkpoint.
    """

    end: float = inf
    grace: float = 0.0

    def level(self, iteration: float) -> StopLevel:
        """Return what the time that is left asks for.

        ``iteration`` is how many seconds one takes: what cannot reach a checkpoint is not started.
        """
        left = self.end - time.monotonic()
        if left <= self.grace:
            return StopLevel.AT_CHECKPOINT
        return StopLevel.DRAIN if left <= self.grace + iteration else StopLevel.NOT_ASKED


UNLIMITED: Final = TimeLimit()


@dataclass(frozen=True, slots=True)
class Worker:
    """How a worker executes what was prepared: in which time, and whether it waits for others.

    One that waits continues what they leave. An allocation of a cluster does not: it would cost.
    ``most_runs``: it starts no more. ``place``: its number among those that start together.
    ``is_withdrawn`` returns whether it is not needed any more.
    """

    time: TimeLimit = UNLIMITED
    waits: bool = True
    most_runs: int | None = None
    place: int = 0
    is_withdrawn: Callable[[], bool] = bool


def limit_in(seconds: float, grace: float) -> TimeLimit:
    """Return the limit that is reached in some seconds; of few, at most a quarter is kept free."""
    return TimeLimit(time.monotonic() + seconds, min(grace, _SHARE * seconds))
