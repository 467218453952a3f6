"""Short names of dotted keys: as much of each as tells it from the others."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_ENDS: Final = 2  # of a name in which nothing is left out


def short_keys(keys: Sequence[str]) -> dict[str, str]:
    """Return the end of each dotted key that no other key ends with.

    Of an end of many parts only the first and the last are kept, as ``encoder…dropout``, if these tell it
    from the others as well.
    """
    parts = {key: key.split(".") for key in keys}
    ends = dict.fromkeys(keys, 1)
    while True:
        short = {key: ".".join(parts[key][-ends[key] :]) for key in keys}
        counts = Counter(short.values())
        longer = [key for key in keys if counts[short[key]] > 1 and ends[key] < len(parts[key])]
        if not longer:
            break
        for key in longer:
            ends[key] += 1
    elided = {
        key: f"{parts[key][-ends[key]]}…{parts[key][-1]}" for key in keys if ends[key] > _ENDS
    }
    counts = Counter(elided.values())
    return {
        key: elided[key] if key in elided and counts[elided[key]] == 1 else short[key]
        for key in keys
    }
