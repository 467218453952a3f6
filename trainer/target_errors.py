"""Errors of Hydra targets: one line if the config is wrong, a traceback if the user's code is."""

from __future__ import annotations

import importlib
import sys
import sysconfig
import traceback
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from hydra.errors import InstantiationException

from trainer.errors import ConfigError, TrainerError, is_out_of_memory
from trainer.group_folders import advise_values
from trainer.impossible_memory import describe_excess

if TYPE_CHECKING:
    import inspect
    from collections.abc import Mapping

# Code that is not the user's: the standard library, installed packages, and this package.
INSTALLED = [Path(sysconfig.get_path("stdlib")), Path(__file__).parent]
PACKAGES = {"site-packages", "dist-packages"}
# Errors raised in these packages are about a name; others come from the user's code.
SEARCHERS = [Path(str(package.__file__)).parent for package in (hydra, importlib)]


def wrong_arguments(
    error: Exception,
    key: str,
    target: object,
    signature: inspect.Signature | None,
    given: Mapping[str, object],
) -> ConfigError | None:
    """Return the error of a target as one about its arguments; None if it is about something else."""
    if isinstance(error, TrainerError) or is_out_of_memory(error):
        return None
    place = _place_if_about_arguments(error)
    if place is None:
        return None
    text = _find_text_for_number(signature, given) if signature else None
    if text is not None:
        return ConfigError(f"{key}.{text}: {given[text]!r} is not a number. Correct it.")
    return ConfigError(f"{key}: {target}: {first_line(error)}{place}. {advise_values(key)}")


def _find_text_for_number(signature: inspect.Signature, given: Mapping[str, object]) -> str | None:
    """Return the first argument that is a string where the signature wants a number."""
    for name, parameter in signature.parameters.items():
        wanted = parameter.annotation
        wanted = getattr(wanted, "__name__", "") if isinstance(wanted, type) else str(wanted)
        kinds = {*wanted.split(" | ")}
        if isinstance(given.get(name), str) and kinds & {"int", "float"} and "str" not in kinds:
            return name
    return None


def _place_if_about_arguments(error: Exception) -> str | None:
    """Return where an error was raised, as a phrase, if it is about the arguments of a target.

    That holds for errors of installed libraries, without a place, and for a ValueError of the target
    itself. Return None for other errors in the user's code: they may be bugs that need a traceback.
    """
    _here, *frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not is_installed(frame.filename)]
    if not own:
        return ""
    if len(own) == 1 and own[0] is frames[-1] and isinstance(error, ValueError):
        return f" ({Path(own[0].filename).name}, line {own[0].lineno})"
    return None


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its class; or that it asked for too much memory.

    A line that only announces the next one has it, too. Without its class, a `KeyError` is only a key.
    """
    if excess := describe_excess(error):
        return excess
    lines = str(error).strip().split("\n")
    said = " ".join(map(str.strip, lines[:2])) if lines[0].endswith(":") else lines[0]
    is_key = isinstance(error, KeyError)
    return (f"{type(error).__name__}: {said}" if is_key else said or type(error).__name__).rstrip(
        "."
    )


def is_in_libraries(error: Exception) -> bool:
    """Return whether no frame of an error's traceback is the user's code."""
    return all(is_installed(frame.filename) for frame in traceback.extract_tb(error.__traceback__))


def place_in_user_code(error: BaseException) -> str:
    """Return the innermost line of the user's code in an error's traceback, as a phrase; or nothing."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not is_installed(frame.filename)]
    return f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""


@cache
def is_installed(filename: str) -> bool:
    """Return whether a file is not the user's code, but of the standard library, a package, or ours."""
    path = Path(filename)
    is_package = not PACKAGES.isdisjoint(path.parts)
    return filename[0] == "<" or is_package or any(map(path.is_relative_to, INSTALLED))


def as_config_error(error: InstantiationException, target: object, key: str) -> Exception:
    """Return the error as one line, unless it is a bug in the user's own class."""
    cause = error.__cause__
    if isinstance(cause, TrainerError):
        return cause
    about_names = (ImportError, ValueError, TypeError, InstantiationException)
    if cause is not None and not isinstance(cause, about_names):
        return error
    place = str(error).partition("full_key: ")[2]
    where = f"{key}.{place}" if place else key
    what = "this name" if place else repr(target)
    return ConfigError(f"{where}._target_: cannot use {what}: {reason_of(error)}. Correct it.")


def reason_of(error: BaseException) -> str:
    """Return the first of a chain of errors in one line, and its place in the user's code."""
    root = error
    while root.__cause__ is not None:
        root = root.__cause__
    message = (str(root) or type(root).__name__).partition("\n")[0].rstrip(".:")
    if isinstance(root, SyntaxError):
        return f"{type(root).__name__}: {root}"
    last = [each for each in traceback.extract_tb(root.__traceback__) if each.filename[0] != "<"][
        -1
    ]
    if not any(Path(last.filename).is_relative_to(folder) for folder in SEARCHERS):
        return f"{type(root).__name__}: {message} ({Path(last.filename).name}, line {last.lineno})"
    if isinstance(root, ModuleNotFoundError) and root.name:
        return _not_found(root.name)
    return message


def _not_found(name: str) -> str:
    """Return which part of a dotted name does not exist, and the nearest name."""
    parent, _, last = name.rpartition(".")
    if not parent:
        return f"there is no module {name!r}, neither installed nor in {Path.cwd()}"
    names = dir(sys.modules.get(parent))
    alike = [each for each in names if each.lower() == last.lower()]
    near = alike or get_close_matches(last, names, n=1)
    meant = f"; the nearest is {parent}.{near[0]}" if near else ""
    return f"{parent} does not have {last!r}{meant}{_hidden(parent)}"


def _hidden(module: str) -> str:
    """Return which file of the current folder an installed module hides, if any."""
    package = module.partition(".")[0]
    places = (Path(f"{package}.py"), Path(package, "__init__.py"))
    meant = next((path.resolve() for path in places if path.is_file()), None)
    found = getattr(sys.modules.get(package), "__file__", None) or "built into Python"
    if meant is None or Path(found).resolve() == meant:
        return ""
    return f"; {found} was imported, which hides {meant}: rename that file"
