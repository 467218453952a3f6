"""A submission that is watched: its pilots as Slurm's queue shows them, and when one of them has ended."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from orchestrator.slurm.jobs import Job
    from orchestrator.slurm.submission_records import PilotToken

# A job that is missing from one answer may be in the next, after a restart of Slurm's controller.
_MISSING: Final = 60.0  # seconds from one answer without a job to another, after which it is gone


class WatchedToken:
    """The pilots of one call of ``sbatch``."""

    def __init__(self, token: PilotToken) -> None:
        self.token = token
        self.is_known = False  # whether Slurm has answered to it, or for it
        self._seen: dict[int, Job] = {}
        self._open = set(range(token.count))
        self._missing: dict[int, float] = {}

    def submitted(self, token: PilotToken) -> None:
        """Take the answer of ``sbatch``, with the ID of the job."""
        self.token, self.is_known = token, True

    @property
    def is_over(self) -> bool:
        """Whether none of its pilots is left."""
        return not self._open

    @property
    def waiting(self) -> int:
        """How many of its pilots have not started, as far as is known."""
        return len(self._open) - self.live

    @property
    def live(self) -> int:
        """How many of its pilots have started, and not ended."""
        return sum(self._seen[at].is_live for at in self._open if at in self._seen)

    @property
    def signs(self) -> tuple[object, ...]:
        """What changes with the state of its pilots."""
        return self.token.job, self.waiting, self.live

    def jobs(self) -> list[Job]:
        """Return its pilots in the queue, as they were last shown."""
        return [self._seen[at] for at in sorted(self._open) if at in self._seen]

    def look(self, shown: Iterable[Job], moment: float, *, is_submitting: bool) -> Iterator[Job]:
        """Take an answer of the queue; yield the pilots that have ended, as they were last shown.

        ``is_submitting``: its ``sbatch`` is still at work, so that a pilot which is missing may come.
        """
        own = {job.place: job for job in shown if self._is_own(job)}
        whole = own.pop(None, None)  # an array that Slurm does not list one by one
        if (own or whole) and not self.token.job:
            job = next(iter(own.values())) if own else whole
            assert job is not None  # noqa: S101 # one of them is
            self.token = replace(self.token, job=job.key.partition("_")[0])
        self.is_known = not is_submitting
        for at in sorted(self._open):
            job = own.get(at, whole)
            if job is not None:
                self._missing.pop(at, None)
                self._seen[at] = job
                if job.is_waiting or job.is_live:
                    continue
            elif is_submitting or moment - self._missing.setdefault(at, moment) < _MISSING:
                continue
            self._open.discard(at)
            if at in self._seen:
                yield self._seen[at]

    def _is_own(self, job: Job) -> bool:
        # A name is compared as well: Slurm may give the same ID to another job.
        if job.name != self.token.name:
            return False
        return not self.token.job or job.key.partition("_")[0] == self.token.job
