"""The run queue: the runs that are still to start, in order, and those that are delayed."""

from __future__ import annotations

from collections import deque
from itertools import chain, islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from orchestrator.execution.scheduler import QueuedRun


class RunQueue:
    """Runs that wait for a slot; moments are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self.ready: deque[QueuedRun] = deque()
        self._delayed: list[tuple[float, QueuedRun]] = []

    def __len__(self) -> int:
        """Return how many runs wait, including the delayed ones."""
        return len(self.ready) + len(self._delayed)

    def __iter__(self) -> Iterator[QueuedRun]:
        """Yield the runs in the order in which they would start now."""
        return chain(self.ready, (waiting for _, waiting in self._delayed))

    def put_off(self, waiting: QueuedRun, until: float) -> None:
        """Delay a run until a moment."""
        self._delayed.append((until, waiting))

    def make_due(self, moment: float) -> None:
        """Move the runs whose delay is over to the front."""
        due = [waiting for at, waiting in self._delayed if at <= moment]
        self._delayed = [(at, waiting) for at, waiting in self._delayed if at > moment]
        self.ready.extendleft(reversed(due))

    def following(self, count: int) -> Iterable[QueuedRun]:
        """Return the runs that start next."""
        return islice(self.ready, count)
