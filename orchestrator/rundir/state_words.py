"""The words for the states that people read: of a stale run they say whether it has paused, which loses nothing."""

from __future__ import annotations

from typing import Final, Protocol

from orchestrator.rundir.state import State

PAUSED: Final = "paused"
# In the order of the states.
WORDS: Final = tuple(
    word
    for each in State
    for word in ([each.value, PAUSED] if each is State.STALE else [each.value])
)


class Stated(Protocol):
    """What is in a state: a run as it was seen, its results, or its end."""

    @property
    def state(self) -> State:
        """The state."""

    @property
    def is_paused(self) -> bool:
        """Whether it is stale, and its program has paused after the iteration that it was told."""


def word_of(each: Stated) -> str:
    """Return the state of a run in a word for people."""
    return PAUSED if each.is_paused else each.state.value
