"""What happens while a plan is executed, as values: the engine says it, the boards show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.execution.estimate import Pace
    from orchestrator.execution.slots import Slot
    from orchestrator.grid.identity import Run, RunId
    from orchestrator.planning.plan import Action
    from orchestrator.rundir.state import Progress, State


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """An attempt began in a slot."""

    run: Run
    action: Action
    attempt: int
    slot: Slot
    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A run is over for this call: in which state, why, after how many seconds here.

    ``executed`` is False where this call only saw that the run is over.
    """

    run: Run
    state: State
    reason: str
    seconds: float
    executed: bool
    progress: Progress | None


@dataclass(frozen=True, slots=True)
class Adopted:
    """A run lives already, begun by another orchestrator; it is waited for."""

    run: Run
    reason: str


@dataclass(frozen=True, slots=True)
class Stopping:
    """The user asked to stop: once, and runs end at their next checkpoint; twice, at once."""

    live: int
    at_once: bool


@dataclass(frozen=True, slots=True)
class Retrying:
    """An attempt failed in a way that may pass; the run is tried again after some seconds."""

    run: Run
    attempt: int
    reason: str
    delay: float
    alone: bool


@dataclass(frozen=True, slots=True)
class Blocked:
    """No run starts in a slot for now, because others use its GPU."""

    slot: Slot
    reason: str


@dataclass(frozen=True, slots=True)
class Paused:
    """Nothing starts for some seconds, or (infinity) any more in this call."""

    reason: str
    seconds: float


Event = AttemptStarted | Ended | Adopted | Stopping | Retrying | Blocked | Paused


@dataclass(frozen=True, slots=True)
class Live:
    """An attempt that is being carried out, as it was seen last."""

    started: AttemptStarted
    seconds: float
    progress: Progress | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a board shows of a moment: the live attempts, how many runs wait, and the pace."""

    live: Sequence[Live]
    waiting: int
    pace: Pace


@dataclass(frozen=True, slots=True)
class ExecutionResult:
    """How every run ended that had to be executed, and whether the user stopped it all.

    ``left`` counts the runs that this call neither finished nor saw finished; ``gave_up`` says why
    it did not go on with them, if it was not the user who wanted that.
    """

    ended: Mapping[RunId, Ended]
    left: int
    stopped: bool
    gave_up: str = ""
