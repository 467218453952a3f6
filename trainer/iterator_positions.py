"""The position of an iterator: how far iterators of Python's and of PyTorch's loaders have come."""

from __future__ import annotations

import gc
from contextlib import suppress
from itertools import count
from types import GeneratorType
from typing import Any, Final

KINDS_OF: Final = ("builtins", "itertools")
DEEPEST: Final = 5  # of iterators over iterators
MOST_ITEMS: Final = 8  # of a tuple, such as the last one that `zip` has made
PLAIN: Final = (bool, int, float, complex, str, bytes, type(None))


def is_iterator(value: object) -> bool:
    """Return whether an object is an iterator of Python's own, but not a generator."""
    kind = type(value)
    return (
        kind.__module__ in KINDS_OF
        and hasattr(kind, "__next__")
        and not isinstance(value, GeneratorType)
    )


def position_of(iterator: Any) -> object:  # noqa: ANN401 - it may be any iterator
    """Return values that differ after the next item, as far as they can be seen; no item is taken."""
    return _state_of(iterator, DEEPEST)


def held_by_iterator(iterator: object) -> list[object]:
    """Return what an iterator iterates over, and the functions that it calls."""
    return [each for each in gc.get_referents(iterator) if not isinstance(each, type)]


def batches_taken(value: object) -> int | None:
    """Return how many batches were taken from an iterator of a `DataLoader`; None for other objects."""
    taken = (getattr(value, "__dict__", None) or {}).get("_num_yielded")
    return taken if type(taken) is int else None


def _state_of(value: Any, left: int) -> object:  # noqa: ANN401 - as above
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, count):
        return repr(value)
    if isinstance(value, list):
        return len(value)
    if isinstance(value, tuple):
        held = [*value[:MOST_ITEMS]]
    elif is_iterator(value):
        with suppress(TypeError, AttributeError):  # it has no end, or no hint
            return value.__length_hint__()
        held = held_by_iterator(value)
    else:
        return batches_taken(value)
    return tuple(_state_of(each, left - 1) for each in held) if left else None
