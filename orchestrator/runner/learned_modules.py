"""Learned modules: those that the process that forks loads after it has forked the first runs.

A fork is given its own environment and its own functions to call at its end. What the import of such
a module sets or registers belongs to each run as if the run had imported it itself.
"""

from __future__ import annotations

import atexit
import os
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_variables: dict[str, str] = {}
_at_exit: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = []


def load(names: Iterable[str]) -> None:
    """Import modules, and keep what they set and register for the forks of this process."""
    before, usual = dict(os.environ), atexit.register

    def register(function: Callable[..., Any], *arguments: Any, **named: Any) -> Callable[..., Any]:  # noqa: ANN401 # as atexit.register
        _at_exit.append((function, arguments, named))
        return function

    atexit.register = register  # type: ignore[assignment]
    try:
        for name in names:
            # A run that needs it reports its error itself; the others continue.
            with suppress(Exception):
                import_module(name)
    finally:
        atexit.register = usual
    now = os.environ.items()
    _variables.update({key: value for key, value in now if before.get(key) != value})


def variables() -> Mapping[str, str]:
    """Return the variables that their imports have set; those of a run come before them."""
    return _variables


def register_at_exit() -> None:
    """Register in a fork what their imports have registered."""
    for function, arguments, named in _at_exit:
        atexit.register(function, *arguments, **named)
