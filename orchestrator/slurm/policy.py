"""The policy for pilots: how many to submit, of which kind, where not, and when to give up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHORT: Final = (
    60.0  # seconds: a pilot that ends within them without having started a run has failed
)
_FAILED_STARTS: Final = 3  # in a row
_BAD_NODE: Final = 2  # failed starts on one node
_REFUSALS: Final = 10  # in a row


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds that the user sets: pilots at once, and pilots that wait at a time."""

    pilots: int
    queued: int


def count_to_submit(bounds: Bounds, startable: int, waiting: int, live: int) -> int:
    """Return how many pilots to submit now.

    Args:
        bounds: What the user allows.
        startable: The runs that nobody executes and that are not settled.
        waiting: The pilots in the queue that have not started, or of which that is not known.
        live: The pilots that have started.
    """
    room = min(bounds.pilots - waiting - live, bounds.queued - waiting)
    return max(0, min(room, startable - waiting))


def next_kind(used: Sequence[int], kinds: int) -> int:
    """Return the kind of allocation whose turn it is; ``used`` are those of earlier submissions."""
    return (used[-1] + 1) % kinds if used else 0


@dataclass(slots=True)
class Starts:
    """How the pilots that have ended fared.

    ``bad_nodes`` are those on which pilots repeatedly started nothing; the others may be fine.
    """

    in_a_row: int = 0
    refusals: int = 0
    on_node: Counter[str] = field(default_factory=Counter)

    def note_end(self, seconds: float, node: str, *, has_begun: bool, is_excused: bool) -> bool:
        """Record the end of a pilot, and return whether it failed to start.

        ``has_begun``: it has begun to start runs. ``is_excused``: there was nothing for it to start, or
        it was ended from outside.
        """
        if has_begun:
            self.in_a_row = 0
            self.on_node.pop(node, None)
            return False
        if seconds >= _SHORT or is_excused:
            return False
        self.in_a_row += 1
        if node:
            self.on_node[node] += 1
        return True

    def note_answer(self, *, is_refused: bool) -> None:
        """Record whether Slurm has accepted a submission."""
        self.refusals = self.refusals + 1 if is_refused else 0

    @property
    def bad_nodes(self) -> tuple[str, ...]:
        """The nodes that new pilots avoid."""
        return tuple(sorted(node for node, count in self.on_node.items() if count >= _BAD_NODE))

    @property
    def is_hopeless(self) -> bool:
        """Whether to submit no more."""
        return self.in_a_row >= _FAILED_STARTS or self.refusals >= _REFUSALS
