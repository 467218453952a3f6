"""Signatures of callbacks: which of them can be called with an event's values, and how."""

from __future__ import annotations

import inspect
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Way(Enum):
    """How values are passed to the parameters."""

    BY_POSITION = "by position"
    BY_NAME = "by name"


def way_to_call(callback: Callable[..., object], names: tuple[str, ...]) -> Way | None:
    """Return how to call a callback with the values of the named parameters, or None if it does not fit.

    The parameters have to have the right order and names, except for underscores around them, which
    mark unused ones. Further parameters need defaults. `*args` and `**kwargs` take the rest; if a
    decorator has only those, the decorated function has to fit, too.
    """
    try:
        signatures = [inspect.signature(callback, follow_wrapped=False)]
        if any(each.kind in VARIADIC for each in signatures[0].parameters.values()):
            signatures.append(inspect.signature(callback))
    except (TypeError, ValueError):  # no signature, or no parameter for `self`
        return None
    if all(_takes_by_place(signature, names) for signature in signatures):
        return Way.BY_POSITION
    if all(_takes_by_name(signature, names) for signature in signatures):
        return Way.BY_NAME
    return None


def never_runs(callback: object) -> bool:
    """Return whether calling it only creates a coroutine or a generator, which is never executed."""
    kinds = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    called = (callback, getattr(type(callback), "__call__", None))  # noqa: B004 - it is only inspected
    return any(is_kind(each) for is_kind in kinds for each in called)


def _takes_by_place(signature: inspect.Signature, names: tuple[str, ...]) -> bool:
    try:
        bound = signature.bind(*names).arguments.items()
    except TypeError:
        return False
    met = ((parameter, name) for parameter, name in bound if isinstance(name, str))
    return all(parameter.strip("_") in ("", name) for parameter, name in met)


def _takes_by_name(signature: inspect.Signature, names: tuple[str, ...]) -> bool:
    try:
        signature.bind(**dict.fromkeys(names))
    except TypeError:
        return False
    declared = [parameter for parameter in signature.parameters if parameter in names]
    return declared == [name for name in names if name in declared]
