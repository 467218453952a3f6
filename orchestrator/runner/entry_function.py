"""The function that an entry point names, how it is called, and what ended it."""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import traceback
from typing import TYPE_CHECKING, Final

from orchestrator.runner.project_import_path import MissingModuleError, hidden_file, import_named

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_MOST: Final = 20  # functions that a message names
_LONGEST: Final = 8_000  # characters of a message that is handed on whole
_LINES: Final = 10  # of a longer one


class MissingFunctionError(AttributeError):
    """The module of an entry point does not have the function; the message is for the user."""


def load(entry_point: str) -> Callable[..., object]:
    """Import the function that ``package.module:function`` names.

    Raises:
        MissingModuleError: The module does not exist.
        ImportError: What the module imports does not exist.
        MissingFunctionError: The module does not have the function.
    """
    module, _, function = entry_point.partition(":")
    try:
        loaded = import_named(module)
    except MissingModuleError as error:
        raise MissingModuleError(f"orch.entry_point: {error}") from None
    found: Callable[..., object] | None = getattr(loaded, function, None)
    if found is None:
        hidden = hidden_file(module)
        why = f"{hidden}." if hidden else _list_functions(loaded)
        raise MissingFunctionError(f"orch.entry_point: {module} has no function {function}. {why}")
    return found


def _list_functions(module: ModuleType) -> str:
    """Say which functions a module defines."""
    names = [
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and name[:1] != "_"
    ]
    return f"Name one that it has: {', '.join(names[:_MOST])}." if names else "It defines none."


def is_hydra_app(function: Callable[..., object]) -> bool:
    """Return whether a function was decorated with ``@hydra.main``; it reads ``sys.argv``.

    Other decorators may be above it.
    """
    main = sys.modules.get("hydra.main")
    layer: object = function
    while main is not None and layer is not None:
        if getattr(getattr(layer, "__code__", None), "co_filename", None) == main.__file__:
            return True
        layer = getattr(layer, "__wrapped__", None)
    return False


def act_as_script(function: Callable[..., object]) -> None:
    """Let Hydra look for configs where it does if the file of an app is executed, not imported."""
    sys.argv[0] = os.path.relpath(inspect.getfile(inspect.unwrap(function)))
    os.environ["HYDRA_MAIN_MODULE"] = "__main__"
    if state := sys.modules.get("hydra.core.global_hydra"):  # of what its module did on import
        state.GlobalHydra.instance().clear()


def takes_arguments(function: Callable[..., object]) -> bool:
    """Return whether a function requires a parameter; the others read ``sys.argv``."""
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError):  # some built-in functions have no signature
        return True
    return False


def tell_end(error: BaseException) -> tuple[int, str]:
    """Print what ended a function, as Python does where it ends a program.

    What the function has started is waited for later, perhaps for ever, and may print an error as well.

    Returns:
        Its exit code, and the error as it is sent to the runner.
    """
    if isinstance(error, SystemExit) and (error.code is None or isinstance(error.code, int)):
        return error.code or 0, ""
    if isinstance(error, SystemExit):
        printed = told = f"{error.code}\n"
    else:
        trace = traceback.TracebackException.from_exception(error)
        printed, told = "".join(trace.format()), _without_details(trace)
    for stream in (
        sys.stderr,
        sys.__stderr__,
    ):  # the function may have replaced or closed the first
        with contextlib.suppress(Exception):  # whatever its own does
            stream.write(printed)  # type: ignore[union-attr] # AttributeError is suppressed
            stream.flush()  # type: ignore[union-attr] # as above
            break
    return 1, told


def _without_details(trace: traceback.TracebackException) -> str:
    """Return a traceback without the notes and the rest of long messages.

    Another traceback may stand in them, and without the beginning of its message an error says nothing.
    """
    several = [trace]
    while several:
        each = several.pop()
        each.__notes__ = []
        several += filter(None, (each.__cause__, each.__context__, *(each.exceptions or ())))
    return "".join(map(_shorten, trace.format()))


def _shorten(part: str) -> str:
    if len(part) <= _LONGEST:
        return part
    lines = part[:_LONGEST].splitlines(keepends=True)
    return "".join(lines[:_LINES]).rstrip() + "\n"
