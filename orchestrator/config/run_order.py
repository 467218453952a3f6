"""The order in which runs start: the setting ``orch.order``, and ``--order``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from orchestrator.errors import ConfigError

DECLARED: Final = "declared"
CHEAP: Final = "cheap"
ROUND_ROBIN: Final = "round-robin"
BREADTH: Final = "breadth"
_FORMS: Final = f"{DECLARED}, {CHEAP}:KEY, {ROUND_ROBIN}:AXIS or {BREADTH}[:ITERATIONS]"
_COUNT: Final = r"[1-9][0-9]{0,8}"


@dataclass(frozen=True, slots=True)
class RunOrder:
    """The order in which runs start; ``key`` is the dotted key to order by.

    ``step``: all runs advance this many iterations at a time; None: each is executed to its end.
    """

    kind: str = DECLARED
    key: str = ""
    step: int | None = None


AS_DECLARED: Final = RunOrder()


def parse_order(value: object, where: str) -> RunOrder:
    """Return the order for a string such as ``cheap:iterations``; ``where`` names the setting in errors.

    Raises:
        ConfigError: It has none of the forms.
    """
    kind, colon, key = value.partition(":") if isinstance(value, str) else ("", "", "")
    if (kind == DECLARED and not colon) or (kind in (CHEAP, ROUND_ROBIN) and key):
        return RunOrder(kind, key)
    if kind == BREADTH and (not colon or re.fullmatch(_COUNT, key)):
        return RunOrder(kind, step=int(key or 1))
    raise ConfigError(f"{where} is {value!r}. Set it to {_FORMS}.")
