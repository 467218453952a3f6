"""The words and the colours of the states, the same on every board and in every table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.rundir.state import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.rundir.state import Observation

PAUSED: Final = "paused"

COLOURS: Final[Mapping[State, str]] = {
    State.DONE: "green",
    State.FAILED: "red",
    State.STALE: "yellow",
    State.RUNNING: "cyan",
    State.UNPROVEN: "magenta",
    State.PENDING: "dim",
}


def word_of(seen: Observation) -> str:
    """Return the state of a run in a word for people: a stale one that has paused is lost to nobody."""
    return PAUSED if seen.is_paused else seen.state.value
