"""The state of a run: a pure function of its ``status.json`` and its lock."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from orchestrator.rundir.lost_attempts import MOST_LOST, describe_loss

if TYPE_CHECKING:
    from collections.abc import Mapping

FINISHED: Final = "it has finished"
PAUSED: Final = "it has paused"


class State(Enum):
    """The state of a run."""

    PENDING = "pending"
    RUNNING = "running"
    UNPROVEN = "running?"
    STALE = "stale"
    FAILED = "failed"
    DONE = "done"


# A checkpoint of the trainer, which in earlier versions did not say that it resumes from it.
_OF_TRAINER: Final = re.compile(r"checkpoints/\d{6,}-[0-9a-f]{8}\.pt")
LIVE: Final = frozenset({State.RUNNING, State.UNPROVEN})  # or perhaps live


class Record(Enum):
    """The state that an attempt records; never ``stale``, since a dead process cannot write."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed: a class for policies, a message for people."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Status:
    """The content of a readable ``status.json``; times are ISO 8601 in UTC.

    Known once it has ended: ``code``, a digest of the code and the command of its attempts, ``gpu_memory``, the
    most bytes used of its GPUs, and ``seconds``, by a clock that nobody sets. ``host``, ``boot_id``, ``node``,
    ``job`` (of a cluster), ``slot`` and ``gpu`` say where it runs, ``resumed_at`` at which iteration it began.
    ``lost`` counts the lost attempts in a row before it; ``paused_after`` is the iteration that it was to pause after.
    """

    record: Record
    attempt: int
    started_at: str
    host: str
    pid: int
    ended_at: str | None = None
    exit_code: int | None = None
    failure: Failure | None = None
    reason: str | None = None
    code: str | None = None
    slot: int | None = None
    gpu: str | None = None
    resumed_at: int | None = None
    boot_id: str | None = None
    node: str | None = None
    job: str | None = None
    gpu_memory: int | None = None
    lost: int = 0
    paused_after: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Takes the place of the status if ``status.json`` cannot be read; ``why`` is for people.

    ``is_refused``: the system refused to read it, so the run may well be done.
    """

    why: str
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress that a program reports: its iterations, their total, and the metrics.

    ``saved`` is the iteration that it would resume from; None if it does not say. ``updated_at`` is
    when it reported that, in ISO 8601, or empty. ``resumes``: it has looked for a checkpoint.
    ``stopped_early`` is why it ends before the last iteration, or empty. ``total_read``: a callback has
    read the number of iterations; None: unknown. ``note`` is one line for the user, or empty.
    ``gpu_memory_reserved`` is the most that its allocator has reserved on GPUs, in bytes.
    """

    iteration: int
    iterations: int
    metrics: Mapping[str, float | str]
    saved: int | None = None
    updated_at: str = ""
    resumes: bool = False
    stopped_early: str = ""
    total_read: bool | None = None
    note: str = ""
    gpu_memory_reserved: int | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the program will not do another iteration."""
        return self.iteration >= self.iterations or bool(self.stopped_early)

    @property
    def early_end(self) -> str | None:
        """How the program ended before its last iteration, and why; None if it did not."""
        if not self.stopped_early:
            return None
        after = f"{self.iteration} of {self.iterations} iterations"
        return f"stopped early after {after}: {self.stopped_early}"


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen of one run directory at one moment.

    ``attempts`` counts the attempts that have started, even if the status cannot be read.
    ``checkpoint`` is what a run that is not done has left that it could resume from.
    ``survivors`` are live processes of the run that do not hold its lock. ``unreachable`` is the host
    on which it may be live, where locks do not tell. ``damage`` says why no
    attempt can start: the lock is not a lock file, or the directory is another run's. ``flaw`` says
    what is wrong with the directory without any effect on the state. ``identity`` is the
    content of ``run.json``, if that was read on the way.
    """

    status: Status | Unreadable | None = None
    locked: bool = False
    attempts: int = 0
    progress: Progress | None = None
    checkpoint: str = ""
    survivors: tuple[int, ...] = ()
    unreachable: str = ""
    damage: str = ""
    flaw: str = ""
    identity: Mapping[str, object] | None = field(default=None, compare=False)

    @property
    def state(self) -> State:
        """The state that follows from the status and the lock."""
        if self.damage:
            return State.FAILED
        found = judge(self.status, locked=self.locked or bool(self.survivors))
        if found is State.STALE and self.unreachable:
            return State.UNPROVEN
        return State.FAILED if found is State.STALE and self.lost >= MOST_LOST else found

    @property
    def is_unlocked_and_unfinished(self) -> bool:
        """Whether there is an attempt that neither failed nor finished, and the lock is free."""
        return not self.damage and judge(self.status, locked=self.locked) is State.STALE

    @property
    def lost(self) -> int:
        """How many attempts in a row ended with a cluster's job, unrecorded, and saved nothing."""
        status = self.status
        if not isinstance(status, Status) or status.record is not Record.RUNNING or not status.job:
            return 0
        return status.lost + 1 if self.saved <= (status.resumed_at or 0) else 0

    @property
    def is_paused(self) -> bool:
        """Whether the program has paused after the iteration that it was told."""
        has_paused = isinstance(self.status, Status) and self.status.reason == PAUSED
        return has_paused and self.state is State.STALE

    @property
    def saved(self) -> int:
        """The number of iterations that a new attempt would resume from.

        Where the program does not say, they are those of its progress if there is a checkpoint.
        """
        if self.progress is None:
            return 0
        if self.progress.saved is not None:
            return self.progress.saved
        return self.progress.iteration if self.checkpoint else 0

    @property
    def failure(self) -> Failure | None:
        """The failure of the last attempt, if it failed."""
        if not isinstance(self.status, Status):
            return None
        if self.status.record is Record.RUNNING and self.state is State.FAILED and not self.damage:
            return Failure("killed", describe_loss(self.lost, self.status.job, self.status.node))
        return self.status.failure

    @property
    def reason(self) -> str:
        """Why the run is in this state, in words for the user."""
        return explain(self)


NOTHING_THERE = Observation()
_NOTHING: Final = "nothing is saved yet"


def judge(status: Status | Unreadable | None, *, locked: bool) -> State:
    """Return the state of a run; only the lock, never a pid or a timestamp, says whether it is live."""
    if isinstance(status, Status) and status.record is Record.DONE:
        return State.DONE
    if locked:
        return State.RUNNING
    if status is None:
        return State.PENDING
    if isinstance(status, Status) and status.record is Record.FAILED:
        return State.FAILED
    return State.STALE


def fill_counts(counts: Mapping[State, int]) -> dict[State, int]:
    """Return the number of runs in every state; that of ``running?`` only if there are such runs."""
    return {
        state: counts.get(state, 0)
        for state in State
        if state is not State.UNPROVEN or counts.get(state)
    }


def explain(seen: Observation) -> str:
    """Return in one clause why a run is in its state."""
    if seen.damage:
        return seen.damage
    why = _explain(seen)
    return f"{why}, but {seen.flaw}" if seen.flaw else why


def _explain(seen: Observation) -> str:
    status = seen.status
    match seen.state:
        case State.PENDING:
            return "it has not run yet"
        case State.RUNNING | State.UNPROVEN:
            return f"{_who_lives(seen)}, {_saved(seen)}"
        case State.DONE:
            return (isinstance(status, Status) and status.reason) or FINISHED
        case State.FAILED:
            failure = seen.failure
            what = f"{failure.kind}: {failure.message}" if failure else "no cause was recorded"
            return f"attempt {seen.attempts} failed, {what}"
        case State.STALE if seen.is_paused and seen.progress and seen.saved:
            return f"paused after {seen.saved} of {seen.progress.iterations} iterations"
        case State.STALE:
            return f"{_why_stale(status)}, {_saved(seen)}"


def _who_lives(seen: Observation) -> str:
    if seen.state is State.UNPROVEN:
        return f"host {seen.unreachable} may be executing it, which cannot be seen from here"
    if not seen.survivors:
        return "its process lives"
    more = f" and {len(seen.survivors) - 1} more" if len(seen.survivors) > 1 else ""
    return f"process {seen.survivors[0]}{more} of attempt {seen.attempts} still lives"


def _why_stale(status: Status | Unreadable | None) -> str:
    if isinstance(status, Unreadable):
        return f"its status cannot be read ({status.why})"
    if isinstance(status, Status) and status.record is Record.INTERRUPTED:
        if status.reason == PAUSED:
            return PAUSED
        # Otherwise the user would expect it to be done.
        code = "" if status.exit_code != 0 else " (it exited with code 0, without results)"
        return f"{status.reason or 'it was asked to stop'}{code}"
    return "its process is gone"


def _saved(seen: Observation) -> str:
    """Return what of a run is saved: what its program is known to resume from."""
    progress = seen.progress
    if progress is None or not progress.iteration:
        return f"resumes if the program loads {seen.checkpoint}" if seen.checkpoint else _NOTHING
    is_known = (
        progress.resumes or progress.saved is not None or _OF_TRAINER.fullmatch(seen.checkpoint)
    )
    if seen.saved and is_known:
        return f"{seen.saved} of {progress.iterations} iterations are saved"
    if seen.saved:
        then = f"resumes if the program loads {seen.checkpoint}"
    else:
        is_live = seen.state is State.RUNNING
        then = "nothing is saved" if is_live else "restarts from the beginning"
    return f"progress {progress.iteration} of {progress.iterations}, {then}"
