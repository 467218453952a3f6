"""Hydra targets: how the object that a `_target_` names is found and called, and the errors."""

from __future__ import annotations

import importlib
import inspect
import sys
import sysconfig
import traceback
from copy import deepcopy
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

import hydra
from hydra.errors import InstantiationException
from hydra.utils import instantiate

from trainer.errors import ConfigError, TrainerError, is_out_of_memory
from trainer.settings import label_of, read_group

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from trainer.settings import Config


NOTHING: Config = MappingProxyType({})
LABEL = "name"
BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
# Code that is not the user's: the standard library, installed packages, and this package.
INSTALLED = [Path(sysconfig.get_path("stdlib")), Path(__file__).parent]
PACKAGES = {"site-packages", "dist-packages"}
# Errors raised in these packages are about a name; others come from the user's code.
SEARCHERS = [Path(str(package.__file__)).parent for package in (hydra, importlib)]


def build(
    config: Config, group: str, offered: Mapping[str, object] = NOTHING, **handed: object
) -> object | None:
    """Build the module that a group's `_target_` names; return None without a `_target_`.

    Args:
        config: The whole configuration, resolved.
        group: The group; its keys are the arguments. `name` is only a label, unless the target has a
            parameter of that name.
        offered: Modules that the target gets if it has a parameter of that name, for which the group
            does not have a value, and whose default is None or missing.
        **handed: Arguments that the trainer adds to those of the group.

    Raises:
        ConfigError: If `_target_` does not exist, its arguments are wrong, or there are arguments
            without a `_target_`.
    """
    settings = read_group(config, group)
    if settings.get("_target_") is not None:
        return call_target(settings, group, label_of(config, group), offered, **handed)
    if arguments := [key for key in settings if key != "_target_"]:
        raise ConfigError(
            f"{group}._target_: missing, but {', '.join(arguments)} is set. Choose one of "
            f"conf/{group}/, or name a class."
        )
    return None


def call_target(
    settings: Config,
    key: str,
    label: object = None,
    offered: Mapping[str, object] = NOTHING,
    **handed: object,
) -> object:
    """Call the object that `_target_` names with the other settings, in which targets are called first.

    Args:
        settings: `_target_` and its arguments.
        key: The key of the settings in the configuration, for error messages.
        label: The `name` beside them.
        offered: Modules that the target may have parameters for, see `build`.
        **handed: More arguments.

    Raises:
        ConfigError: If `_target_` does not exist, or its arguments are wrong.
    """
    target = settings["_target_"]
    # As separate arguments, these two would be merged into a copy, which doubles the time.
    asked = {**settings, "_partial_": True, "_convert_": "all"}
    arguments: Config = {}
    if not _is_for_hydra(settings):  # which takes three times as long with the arguments
        asked = {"_target_": target, "_partial_": True}
        # A module may change its arguments.
        arguments = deepcopy({name: each for name, each in settings.items() if name != "_target_"})
    try:
        factory = instantiate(asked)
    except InstantiationException as error:
        raise _as_config_error(error, target, key) from error
    if settings.get("_partial_") and not handed:
        return cast("object", factory)  # a function with some arguments, as a criterion
    given = {**factory.keywords, **arguments, **handed}
    signature = _signature(factory.func)
    if signature is not None:
        given |= _asked_for(signature, given, factory.args, label, offered)
        if "model" in given and not _takes(signature, "params"):
            given.pop("params", None)  # an optimizer that takes the model gets them from it
        _check_arguments(signature, given, f"{key}: {target}", *factory.args)
    try:
        return cast("object", factory.func(*factory.args, **given))
    except Exception as error:
        if isinstance(error, TrainerError) or is_out_of_memory(error):
            raise
        place = _place_if_about_arguments(error)
        if place is None:
            raise
        reason = (str(error).strip() or type(error).__name__).partition("\n")[0].rstrip(".")
        raise ConfigError(
            f"{key}: {target}: {reason}{place}. Correct conf/{_group(key)}/."
        ) from error


def _is_for_hydra(settings: Config) -> bool:
    """Return whether arguments need Hydra: they have a target, or another key of Hydra."""
    has_word = any(key.startswith("_") for key in settings if key != "_target_")
    return has_word or any(map(_holds_target, settings.values()))


def _holds_target(value: object) -> bool:
    if isinstance(value, dict):
        return "_target_" in value or any(map(_holds_target, value.values()))
    return isinstance(value, list) and any(map(_holds_target, value))


def _signature(target: Callable[..., object]) -> inspect.Signature | None:
    try:
        return inspect.signature(target)
    except ValueError:  # some built-in functions have none
        return None


def takes(config: Config, group: str, parameter: str) -> bool:
    """Return whether a group sets a key for which its target has a parameter of that name."""
    written = config.get(group)
    settings = read_group(config, group)
    if not isinstance(written, dict) or parameter not in written or "_target_" not in settings:
        return False
    signature = _signature(find_function(str(settings["_target_"]), f"{group}._target_"))
    return signature is not None and _takes(signature, parameter)


def asks_for(config: Config, group: str, module: str) -> bool:
    """Return whether a group's target would get a module that is offered to it."""
    settings = read_group(config, group)
    if not isinstance(target := settings.get("_target_"), str):
        return False
    signature = _signature(find_function(target, f"{group}._target_"))
    return signature is not None and bool(_asked_for(signature, settings, (), None, {module: None}))


def _takes(signature: inspect.Signature, name: str) -> bool:
    """Return whether a signature has a parameter of that name."""
    parameter = signature.parameters.get(name)
    return parameter is not None and parameter.kind in BY_NAME


def _asked_for(
    signature: inspect.Signature,
    given: Mapping[str, object],
    places: Sequence[object],
    label: object,
    offered: Mapping[str, object],
) -> Config:
    """Return the label and the modules that a target has parameters but no values for."""
    open_names = [*signature.parameters][len(places) :]
    found = {}
    for name in open_names:
        if name in given or not _takes(signature, name):
            continue
        default = signature.parameters[name].default
        if name == LABEL and label is not None:
            found[name] = label
        elif name in offered and (default is inspect.Parameter.empty or default is None):
            found[name] = offered[name]
    return found


def _check_arguments(
    signature: inspect.Signature, arguments: Mapping[str, object], where: str, *places: object
) -> None:
    """Check that no argument is missing or unknown, before the target is called.

    Raises:
        ConfigError: If the target cannot be called with these arguments.
    """
    try:
        signature.bind(*places, **arguments)
    except TypeError as error:
        takes = ", ".join(signature.parameters)
        raise ConfigError(f"{where}: {error}. Its parameters are: {takes}.") from None


def _place_if_about_arguments(error: Exception) -> str | None:
    """Return where an error was raised, as a phrase, if it is about the arguments of a target.

    That holds for errors of installed libraries, without a place, and for a ValueError of the target
    itself. Return None for other errors in the user's code: they may be bugs that need a traceback.
    """
    _here, *frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not _is_installed(frame.filename)]
    if not own:
        return ""
    if len(own) == 1 and own[0] is frames[-1] and isinstance(error, ValueError):
        return f" ({Path(own[0].filename).name}, line {own[0].lineno})"
    return None


def is_in_libraries(error: Exception) -> bool:
    """Return whether no frame of an error's traceback is the user's code."""
    return all(_is_installed(frame.filename) for frame in traceback.extract_tb(error.__traceback__))


def _is_installed(filename: str) -> bool:
    path = Path(filename)
    is_package = not PACKAGES.isdisjoint(path.parts)
    return filename[0] == "<" or is_package or any(map(path.is_relative_to, INSTALLED))


def find_function(name: str, key: str) -> Callable[..., object]:
    """Return the function or class of a dotted name.

    Raises:
        ConfigError: If it does not exist.
    """
    try:
        factory = instantiate({"_target_": name, "_partial_": True})
    except InstantiationException as error:
        raise ConfigError(f"{key}: cannot use {name!r}: {_reason(error)}. Correct it.") from error
    return cast("Callable[..., object]", factory.func)


def _as_config_error(error: InstantiationException, target: object, key: str) -> Exception:
    """Return the error as one line, unless it is a bug in the user's own class."""
    cause = error.__cause__
    if isinstance(cause, TrainerError):
        return cause
    if cause is not None and not isinstance(cause, (ImportError, ValueError, TypeError)):
        return error
    place = str(error).partition("full_key: ")[2]
    where = f"{key}.{place}" if place else key
    what = "this name" if place else repr(target)
    return ConfigError(f"{where}._target_: cannot use {what}: {_reason(error)}. Correct it.")


def _reason(error: BaseException) -> str:
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
    near = get_close_matches(last, dir(sys.modules.get(parent)), n=1)
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


def _group(key: str) -> str:
    return key.partition(".")[0]
