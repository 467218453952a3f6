"""What to do about a metric that no run reports: the nearest name, or the names that there are."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMED: Final = 20


def describe_choice(metric: str, names: Sequence[str], otherwise: str = "") -> str:
    """Return what to do about a metric that is not among the reported ``names``, in one or two sentences.

    ``otherwise`` is what else may help, such as "a first rung at which it is logged".
    """
    listed = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    if not names:
        return f"They report none. Let the program log it{f', or choose {otherwise}' if otherwise else ''}."
    near = difflib.get_close_matches(metric, names, n=1)
    if near:
        return f"Did you mean {near[0]!r}? They report {listed}."
    return f"Choose one of {listed}" + (f", or {otherwise}." if otherwise else ".")
