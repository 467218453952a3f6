"""The colours of the states, the same on every board and in every table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.rundir.state import State

if TYPE_CHECKING:
    from collections.abc import Mapping

COLOURS: Final[Mapping[State, str]] = {
    State.DONE: "green",
    State.FAILED: "red",
    State.STALE: "yellow",
    State.RUNNING: "cyan",
    State.UNPROVEN: "magenta",
    State.PENDING: "dim",
}
