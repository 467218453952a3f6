"""Jobs, as Slurm's queue shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.slurm.durations import parse_time

if TYPE_CHECKING:
    from collections.abc import Iterator

# What is asked for each job; the reason, which may contain anything, comes last.
QUEUE_FORMAT: Final = "%i|%A|%j|%T|%S|%N|%M|%r"
_FIELDS: Final = QUEUE_FORMAT.count("|") + 1
_WAITING: Final = frozenset({"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT"})
# A job that Slurm stopped, or of which processes may be left, has not ended.
_LIVE: Final = frozenset(
    {"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"}
)

# No job is to blame for a node that failed, or for who cancelled or preempted it.
_BY_ITSELF: Final = frozenset({"COMPLETED", "FAILED", "OUT_OF_MEMORY", "BOOT_FAIL"})


@dataclass(frozen=True, slots=True)
class Job:
    """A job in Slurm's queue, one of an array also.

    ``job_id`` is what its processes see as ``SLURM_JOB_ID``; ``key`` tells it from the others of its
    array. ``start`` is when it is expected to start, or has started, or empty; ``seconds`` is how
    long it has been running.
    """

    key: str
    job_id: str
    name: str
    state: str
    start: str
    node: str
    seconds: float
    reason: str

    @property
    def place(self) -> int | None:
        """Its place in its array; None of an array that is shown as one job."""
        number = self.key.partition("_")[2]
        return int(number) if number.isdecimal() else None

    @property
    def has_ended_by_itself(self) -> bool:
        """Whether nothing from outside has ended it, as far as Slurm knows."""
        return self.state in _BY_ITSELF

    @property
    def is_waiting(self) -> bool:
        """Whether it has not started."""
        return self.state in _WAITING

    @property
    def is_live(self) -> bool:
        """Whether it has started, and not ended."""
        return self.state in _LIVE


def parse_queue(output: str) -> list[Job]:
    """Return the jobs in the output of ``squeue``; ignore lines that are not jobs."""
    return list(_parse(output))


def _parse(output: str) -> Iterator[Job]:
    for line in output.splitlines():
        fields = line.strip().split("|", _FIELDS - 1)
        if len(fields) == _FIELDS:
            key, job_id, name, state, start, node, took, reason = fields
            expected = "" if start in ("N/A", "Unknown") else start
            yield Job(
                key, job_id, name, state, expected, node, parse_time(took) or 0.0, reason.strip()
            )
