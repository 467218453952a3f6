"""The order in which runs start: as declared, cheap ones first, in turn over an axis, or breadth first."""

from __future__ import annotations

import difflib
from collections import deque
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from orchestrator.config.run_order import CHEAP, ROUND_ROBIN, RunOrder
from orchestrator.errors import ConfigError
from orchestrator.grid.config_values import Missing, look_up

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orchestrator.planning.plan import Decision


def arrange(decisions: Sequence[Decision], order: RunOrder) -> Iterable[Decision]:
    """Return the decisions in the order in which they start.

    ``cheap`` puts the smallest numbers under the key first; ``round-robin`` takes one run of each
    value of the key in turn, so that comparable results come early; ``breadth`` puts the runs first
    that are least far; otherwise nothing changes.

    Raises:
        ConfigError: A run does not have the key, or its value is not a number.
    """
    if order.kind == CHEAP:
        return sorted(decisions, key=lambda decision: _cost(decision, order.key))
    if order.step is not None:
        step = order.step
        return sorted(decisions, key=lambda decision: decision.seen.saved // step)
    if order.kind == ROUND_ROBIN:
        groups: dict[str, deque[Decision]] = {}
        for decision in decisions:
            groups.setdefault(repr(_value(decision, order.key)), deque()).append(decision)
        turns = zip_longest(*groups.values())
        return [decision for decision in chain.from_iterable(turns) if decision is not None]
    return decisions


def _cost(decision: Decision, key: str) -> float:
    value = _value(decision, key)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise ConfigError(
        f"{CHEAP}:{key}: the value of run {decision.run.run_id} is {value!r}, which is not a number."
        " Name a key whose values are numbers."
    )


def _value(decision: Decision, key: str) -> object:
    value = look_up(decision.run.config, key)
    if isinstance(value, Missing):
        near = difflib.get_close_matches(key, decision.run.config, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else "Name a key of the config."
        raise ConfigError(
            f"the order by '{key}': run {decision.run.run_id} does not have this key. {hint}"
        )
    return value
