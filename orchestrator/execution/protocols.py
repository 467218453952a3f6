"""The parts that the engine joins, as it sees them: a launcher, its attempts, a board, a gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from orchestrator.config.settings import NO_RETRIES, Policy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.execution.events import Event, Snapshot
    from orchestrator.execution.slots import Gpu, Slot
    from orchestrator.grid.identity import Run, RunId
    from orchestrator.rundir.directory import RunDirectory


class Attempt(Protocol):
    """An attempt that a launcher started."""

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when the attempt is over."""

    def ask_to_stop(self) -> None:
        """Ask for an end at the next checkpoint."""

    def end_at_once(self) -> None:
        """Kill the program and have that recorded."""

    def abandon(self) -> None:
        """Kill the runner, which did not obey."""

    def close(self) -> str:
        """Release the attempt, which is over, and return what its runner complained of."""


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
    """Shows what happens."""

    def show(self, event: Event) -> None:
        """Show an event."""

    def refresh(self, sight: Snapshot) -> None:
        """Show how things stand; called several times a second."""


class Companion(Protocol):
    """Works beside the engine, in a process of its own, and has to be looked after."""

    def tend(self) -> None:
        """Restart it if it died; called several times a second, at no cost."""


class Gate(Protocol):
    """Knows whether a GPU can take a run now."""

    def obstacle(self, gpu: Gpu, *, is_taken: bool) -> str:
        """Say why no run should start on a GPU, perhaps beside others; an empty text where one may."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What runs are executed with, and by which rules.

    ``orphans`` are live runs whose orchestrator is gone: nobody else counts what they take.
    """

    slots: Sequence[Slot]
    policy: Policy = NO_RETRIES
    gate: Gate | None = None
    orphans: frozenset[RunId] = frozenset()
