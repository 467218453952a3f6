"""The difference of two configs: the keys whose values differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.grid.config_values import NEVER_IDENTITY, Missing, in_path, same, show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.grid.config_values import Value

_ABSENT: Final = Missing()


@dataclass(frozen=True, slots=True)
class Difference:
    """A key whose value differs in the second config, both as strings; ``nothing``: no such key."""

    key: str
    before: str
    now: str


def find_differences(
    before: Mapping[str, Value], now: Mapping[str, Value], exclude: Sequence[str] = ()
) -> list[Difference]:
    """Return the differences in the order of the keys, without keys that are not part of the run ID.

    Args:
        before: The first config.
        now: The second config.
        exclude: Dotted keys that are left out as well.
    """
    ones, others = leaves(before, exclude), leaves(now, exclude)
    found = []
    for key in dict.fromkeys((*ones, *others)):
        one, other = ones.get(key, _ABSENT), others.get(key, _ABSENT)
        if not same(one, other):
            found.append(Difference(key, _show(one), _show(other)))
    return found


def leaves(config: Mapping[str, Value], exclude: Sequence[str] = ()) -> dict[str, Value]:
    """Return the values of a config that are part of its run ID, by dotted keys.

    A key that contains a dot itself is in quotes: ``{"a.b": 1}`` is not ``{a: {b: 1}}``.

    Args:
        config: The config.
        exclude: Dotted keys that are left out as well.
    """
    return dict(_leaves(config, frozenset((*NEVER_IDENTITY, *exclude))))


def _show(value: Value | Missing) -> str:
    return "nothing" if isinstance(value, Missing) else show(value)


def _leaves(
    config: Mapping[str, Value], left_out: frozenset[str], prefix: str = "", named: str = ""
) -> Iterator[tuple[str, Value]]:
    for key, value in config.items():
        path = f"{prefix}{key}"
        if path in left_out:
            continue
        name = f"{named}{in_path(str(key))}"
        if isinstance(value, dict) and value:
            yield from _leaves(value, left_out, f"{path}.", f"{name}.")
        else:
            yield name, value
