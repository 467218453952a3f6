"""The run queue: the runs that are still to start, in order, and those that are delayed."""

from __future__ import annotations

from collections import deque
from itertools import chain, islice
from typing import TYPE_CHECKING

from orchestrator.execution.scheduler import QueuedRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from orchestrator.planning.plan import Decision


class RunQueue:
    """Runs that wait for a slot; moments are seconds of a monotonic clock.

    ``supply`` returns one more run, or None if there are no more; None: nothing is supplied.
    """

    def __init__(self, supply: Callable[[], Decision | None] | None = None) -> None:
        self._supply = supply
        self.ready: deque[QueuedRun] = deque()
        self._delayed: list[tuple[float, QueuedRun]] = []

    def __len__(self) -> int:
        """Return how many runs wait, including the delayed ones."""
        return len(self.ready) + len(self._delayed)

    def __bool__(self) -> bool:
        """Return whether runs wait, or may be supplied."""
        return bool(len(self)) or self._supply is not None

    def refill(self, room: int) -> None:
        """Have more runs supplied until ``room`` runs are ready, or there are no more."""
        while self._supply is not None and len(self.ready) < room:
            decision = self._supply()
            if decision is None:
                self._supply = None
            else:
                self.ready.append(QueuedRun(decision))

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
