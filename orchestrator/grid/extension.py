"""The runs that differ from a run only in the number of iterations, and what else depends on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.grid.config_diff import find_differences
from orchestrator.grid.identity import run_ids_with, short

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestrator.grid.config_values import Value
    from orchestrator.grid.identity import RunId

TOTAL: Final = "iterations"
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Extension:
    """A run that another one extends from an iteration, or could extend but for a reason.

    ``keys`` are the keys that also depend on the number of iterations, if that is the reason.
    ``is_read`` tells whether it is that callbacks of the run have read the number, and ``changed`` is a
    file of its code that has changed since, if that is it.
    """

    run_id: RunId
    iteration: int = 0
    keys: tuple[str, ...] = ()
    is_read: bool = False
    changed: str = ""

    @property
    def is_possible(self) -> bool:
        """Whether the run is extended."""
        return not (self.keys or self.is_read or self.changed)

    def __str__(self) -> str:
        """Return it as the reason of a decision."""
        if self.is_read:
            return f"does not extend {short(self.run_id)}, whose callbacks read {TOTAL}"
        if self.changed:
            return f"does not extend {short(self.run_id)}, because {self.changed} has changed since"
        if self.keys:
            more = f" and {len(self.keys) - _SHOWN} more" if len(self.keys) > _SHOWN else ""
            named = f"{', '.join(self.keys[:_SHOWN])}{more}"
            verb = "depends" if len(self.keys) == 1 else "depend"
            return f"does not extend {short(self.run_id)}, because {named} {verb} on {TOTAL}"
        return f"extends {short(self.run_id)} from iteration {self.iteration}"


def total_of(config: Mapping[str, Value]) -> int | None:
    """Return the number of iterations in a config; None if there is none."""
    total = config.get(TOTAL)
    return total if type(total) is int and total > 0 else None


def find_siblings(
    run_id: RunId, config: Mapping[str, Value], totals: Iterable[int], exclude: Sequence[str]
) -> tuple[RunId, ...]:
    """Return the IDs of the runs that differ from a run only in the number of iterations.

    There are none if the run ID does not follow from the config alone, as with credentials.

    Args:
        run_id: The ID of the run.
        config: Its config.
        totals: The numbers of iterations.
        exclude: The keys that are not part of the run ID.
    """
    others = sorted({*totals})
    own = total_of(config) if others else None
    if own is None or TOTAL in exclude:
        return ()
    wanted = (own, *(total for total in others if total != own))
    found, *siblings = run_ids_with(config, TOTAL, wanted, exclude)
    return tuple(siblings) if found == run_id else ()


def find_dependent(
    config: Mapping[str, Value], other: Mapping[str, Value], exclude: Sequence[str]
) -> tuple[str, ...]:
    """Return the keys, besides the number of iterations, in which two configs differ.

    Args:
        config: The resolved config of a run.
        other: The same with another number of iterations, put in before it was resolved.
        exclude: The keys that are not part of the run ID.
    """
    changed = (item.key for item in find_differences(config, other, exclude))
    return tuple(key for key in changed if key != TOTAL)
