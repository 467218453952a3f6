"""What happens while a plan is executed, as values: the engine says it, the boards show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.identity import Run
    from orchestrator.plan import Action
    from orchestrator.scheduler import Slot
    from orchestrator.state import Progress, State


@dataclass(frozen=True, slots=True)
class Started:
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


Event = Started | Ended | Adopted | Stopping


@dataclass(frozen=True, slots=True)
class Live:
    """An attempt that is being carried out, as it was seen last."""

    started: Started
    seconds: float
    progress: Progress | None
