"""The protocols of the parts that the engine uses: a launcher, its attempts, a board, a gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from orchestrator.config.orch_settings import NO_RETRIES, Policy
from orchestrator.execution.execution_course import WHOLE_RUNS
from orchestrator.execution.wall_time_limit import UNLIMITED, TimeLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from orchestrator.execution.events import Event, ExecutionSnapshot
    from orchestrator.execution.execution_course import Standstill
    from orchestrator.execution.mps_daemon import MpsDaemon
    from orchestrator.execution.packing import Packing
    from orchestrator.execution.run_queue import RunQueue
    from orchestrator.execution.slots import Gpu, Slot
    from orchestrator.grid.identity import Run, RunId
    from orchestrator.planning.plan import Decision
    from orchestrator.rundir.control_file import ControlRequest
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.state import Observation


class Attempt(Protocol):
    """An attempt that a launcher started."""

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when the attempt is over."""

    def ask_to_stop(self) -> None:
        """Ask the program to stop at its next checkpoint."""

    def end_at_once(self) -> None:
        """Have the runner kill the program and record that."""

    def abandon(self) -> None:
        """Kill the runner, which did not respond."""

    def close(self) -> str:
        """Release the attempt, which is over, and return the error of its runner, if any."""


class Launcher(Protocol):
    """Starts attempts."""

    def start(
        self, run: Run, directory: RunDirectory, attempt: int, environment: Mapping[str, str]
    ) -> Attempt:
        """Start an attempt and return at once.

        Raises:
            OSError: No process could be started.
            OrchestratorError: The config does not say what to start.
        """

    def make_ready(self) -> None:
        """Prepare for the next start, while the slots are busy.

        Raises:
            OSError: No process could be started.
        """


class Board(Protocol):
    """Shows the events of an execution."""

    def show(self, event: Event) -> None:
        """Show an event."""

    def refresh(self, snapshot: ExecutionSnapshot) -> None:
        """Show the present state; called several times per second."""


class Companion(Protocol):
    """A process that works beside the engine and has to be kept alive."""

    def tend(self) -> None:
        """Restart it if it died; called several times per second, so it must be cheap."""


class Gate(Protocol):
    """Decides whether a GPU can take a run now."""

    def obstacle(self, gpu: Gpu, *, is_taken: bool) -> str:
        """Return why no run should start on a GPU now; an empty string if one may."""


class Course(Protocol):
    """Decides how far each run goes before others go on."""

    @property
    def trouble(self) -> str:
        """Why it cannot decide; an empty string if it can."""

    def aim(self, decision: Decision) -> Decision:
        """Return a decision on a run that is to start, or that is waited for, with how far it goes."""

    def aim_again(self, decision: Decision, failed: Collection[RunId]) -> Decision | None:
        """Return a decision on a run that another process has executed meanwhile, with how far it goes now.

        None: it does not go on now. ``failed`` are the runs that are not retried.
        """

    def note_pause(self, decision: Decision, seen: Observation, queue: RunQueue) -> None:
        """Queue what goes on after a run has come as far as it was to."""

    def go_on(self, failed: Collection[RunId]) -> Sequence[Decision]:
        """Return what starts now that nothing is live; nothing at the end.

        ``failed`` are the runs that are not retried.
        """

    def count(self, failed: Collection[RunId], told: Collection[RunId]) -> Standstill | None:
        """Return how many runs are paused for good, and how many are left; None: it pauses none.

        ``told`` are all runs whose failure was told, also of those that somebody killed.
        """


@dataclass(frozen=True, slots=True)
class Resources:
    """The slots that runs are executed in, and the rules that apply.

    ``orphans`` are live runs whose orchestrator is gone; they count against the slots.
    ``save_when_asked``: the program is known to save its state when it is asked to stop.
    ``requests`` returns what ``orch control`` asked for since the last time, and why that is not
    known; ``grow`` returns the slots for another number of them. ``time`` is what is left to this
    process. ``waits``: it stays until runs of other processes are over, to continue them if need be.
    ``most_runs``: it starts no more (None: no limit). ``packing`` decides how many runs share a GPU (None: as
    many as there are slots). ``course``: how far each run goes before others. ``supply`` returns one more
    run each time, None if there are no more. ``daemon`` has to run while they are executed.
    """

    slots: Sequence[Slot]
    policy: Policy = NO_RETRIES
    gate: Gate | None = None
    orphans: frozenset[RunId] = frozenset()
    save_when_asked: bool = False
    requests: Callable[[], tuple[Sequence[ControlRequest], str]] = lambda: ((), "")
    grow: Callable[[int], Sequence[Slot]] | None = None
    time: TimeLimit = UNLIMITED
    waits: bool = True
    most_runs: int | None = None
    packing: Packing | None = None
    course: Course = WHOLE_RUNS
    supply: Callable[[], Decision | None] | None = None
    daemon: MpsDaemon | None = None
