"""Owns how what a `_target_` names is found and called, and what is said if that is impossible."""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from copy import deepcopy
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, cast

import hydra
from hydra.errors import InstantiationException
from hydra.utils import instantiate

from trainer.errors import ConfigError, TrainerError, is_out_of_memory
from trainer.settings import read_group

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trainer.settings import Config


# An error from elsewhere is one of the user's own code.
SEARCHERS = [Path(str(package.__file__)).parent for package in (hydra, importlib)]


def build(config: Config, group: str, **handed: object) -> object | None:
    """Build the module that a group's `_target_` names, or none where there is no `_target_`.

    Args:
        config: The whole configuration, resolved.
        group: The group; its keys are the arguments, but for `name`, which is only a label.
        **handed: Arguments that the trainer adds to the group's own.

    Raises:
        ConfigError: If what `_target_` names is not there, if its arguments are wrong, or if there
            are arguments and no `_target_`.
    """
    settings = read_group(config, group)
    if settings.get("_target_") is not None:
        return call_target(settings, group, **handed)
    if arguments := [key for key in settings if key != "_target_"]:
        raise ConfigError(
            f"{group}._target_: missing, but there is {', '.join(arguments)}. Choose one of "
            f"conf/{group}/, or name a class."
        )
    return None


def call_target(settings: Config, key: str, **handed: object) -> object:
    """Call what `_target_` names with the other settings, once those with a `_target_` are called.

    Args:
        settings: `_target_` and its arguments.
        key: Where the settings stand in the configuration, for error messages.
        **handed: More arguments.

    Raises:
        ConfigError: If `_target_` is not there, or its arguments are wrong.
    """
    target = settings["_target_"]
    # Given apart, these two would be merged into a copy, which takes as long as all the rest.
    asked = {**settings, "_partial_": True, "_convert_": "all"}
    if not _is_for_hydra(settings):  # which would take three times as long with the arguments
        asked = {"_target_": target, "_partial_": True}
        arguments = {name: value for name, value in settings.items() if name != "_target_"}
        handed = {**deepcopy(arguments), **handed}  # a module may change its own
    try:
        factory = instantiate(asked)
    except InstantiationException as error:
        raise _mendable(error, target, key) from error
    if settings.get("_partial_") and not handed:
        return cast("object", factory)  # a function with some arguments, as a criterion
    check_arguments(factory.func, {**factory.keywords, **handed}, f"{key}: {target}", *factory.args)
    try:
        return cast("object", factory(**handed))
    except (TypeError, ValueError, RuntimeError) as error:
        # In the user's own code anything but a ValueError may be a bug: the traceback tells where.
        is_known = isinstance(error, ValueError) or _is_known(factory.func)
        if not is_known or is_out_of_memory(error):
            raise
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ConfigError(f"{key}: {target}: {reason}. Correct conf/{_group(key)}/.") from error


def _is_for_hydra(settings: Config) -> bool:
    """Tell whether arguments have something for Hydra in them: a target, or a word of its own."""
    has_word = any(key.startswith("_") for key in settings if key != "_target_")
    return has_word or any(map(_holds_target, settings.values()))


def _holds_target(value: object) -> bool:
    if isinstance(value, dict):
        return "_target_" in value or any(map(_holds_target, value.values()))
    return isinstance(value, list) and any(map(_holds_target, value))


def _is_known(target: object) -> bool:
    """Tell whether a class or function is PyTorch's or ours, whose errors are about arguments."""
    return str(getattr(target, "__module__", "")).partition(".")[0] in ("torch", "trainer")


def check_arguments(
    target: Callable[..., object], arguments: Mapping[str, object], where: str, *places: object
) -> None:
    """Tell the user which argument is missing or unknown, before anything is called.

    Raises:
        ConfigError: If the target cannot be called with these arguments.
    """
    try:
        signature = inspect.signature(target)
    except ValueError:  # some built-in functions have none
        return
    try:
        signature.bind(*places, **arguments)
    except TypeError as error:
        takes = ", ".join(signature.parameters)
        raise ConfigError(f"{where}: {error}. It takes: {takes}.") from None


def find_function(name: str, key: str) -> Callable[..., object]:
    """Return the function or class that a dotted name means.

    Raises:
        ConfigError: If there is none.
    """
    try:
        factory = instantiate({"_target_": name, "_partial_": True})
    except InstantiationException as error:
        raise ConfigError(f"{key}: cannot use {name!r}: {_reason(error)}. Correct it.") from error
    return cast("Callable[..., object]", factory.func)


def _mendable(error: InstantiationException, target: object, key: str) -> Exception:
    """Return the error as one line, if a line says enough: not for a bug in the user's own class."""
    cause = error.__cause__
    if isinstance(cause, TrainerError):
        return cause
    if cause is not None and not isinstance(cause, (ImportError, ValueError, TypeError)):
        return error
    place = str(error).partition("full_key: ")[2]
    where = f"{key}.{place}" if place else key
    what = "what is named there" if place else repr(target)
    return ConfigError(f"{where}._target_: cannot use {what}: {_reason(error)}. Correct it.")


def _reason(error: BaseException) -> str:
    """Return in one line what the first of a chain of errors was, and where in the user's code."""
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
    """Say what of a dotted name is not there, and what was probably meant."""
    parent, _, last = name.rpartition(".")
    if not parent:
        return f"there is no module {name!r}, neither installed nor in {Path.cwd()}"
    near = get_close_matches(last, dir(sys.modules.get(parent)), n=1)
    meant = f"; the nearest is {parent}.{near[0]}" if near else ""
    return f"{parent} has no {last!r}{meant}{_hidden(parent)}"


def _hidden(module: str) -> str:
    """Say which file of the current folder is hidden by an installed module, if one is."""
    package = module.partition(".")[0]
    places = (Path(f"{package}.py"), Path(package, "__init__.py"))
    meant = next((path.resolve() for path in places if path.is_file()), None)
    found = getattr(sys.modules.get(package), "__file__", None) or "built into Python"
    if meant is None or Path(found).resolve() == meant:
        return ""
    return f"; it is {found}, and hides {meant}: rename that file"


def _group(key: str) -> str:
    return key.partition(".")[0]
