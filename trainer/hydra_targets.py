"""Hydra targets: how the object that a `_target_` names is found, and with what it is called."""

from __future__ import annotations

import inspect
from copy import deepcopy
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from hydra.errors import InstantiationException
from hydra.utils import instantiate

from trainer.errors import ConfigError
from trainer.group_folders import advise_choice
from trainer.hydra_words import check_words
from trainer.refused_arguments import check_arguments
from trainer.settings import label_of, read_group
from trainer.target_errors import (
    as_config_error,
    reason_of,
    wrong_arguments,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from trainer.settings import Config


NOTHING: Config = MappingProxyType({})
LABEL = "name"
BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


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
        ConfigError: If `_target_` does not exist, its arguments are wrong or refused, it returns nothing,
            or there are arguments without a `_target_`.
    """
    settings = read_group(config, group)
    if settings.get("_target_") is not None:
        check_arguments(settings, group, handed)
        built = call_target(settings, group, label_of(config, group), offered, **handed)
        if built is None:
            raise ConfigError(
                f"{group}._target_: {settings['_target_']} returns None. Let it return the module."
            )
        return built
    if arguments := [key for key in settings if key != "_target_"]:
        raise ConfigError(
            f"{group}._target_: missing, but {', '.join(arguments)} is set. {advise_choice(group)}"
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

    Those of nested targets that require a module, such as the schedulers of `SequentialLR`, get it.

    Args:
        settings: `_target_` and its arguments.
        key: The key of the settings in the configuration, for error messages.
        label: The `name` beside them.
        offered: Modules that the target may have parameters for, see `build`.
        **handed: More arguments.

    Raises:
        ConfigError: If `_target_` does not exist, or its arguments or a word of Hydra are wrong.
    """
    check_words(settings, key)
    target = settings["_target_"]
    nested = _call_nested(settings, key, offered)
    settings = {name: each for name, each in settings.items() if name not in nested}
    asked, arguments = _divided(settings)
    factory = _factory(asked, key)
    if settings.get("_partial_") and not handed:
        return cast("object", factory)  # a function with some arguments, as a criterion
    given = {**factory.keywords, **arguments, **nested, **handed}
    signature = _signature(factory.func)
    if signature is not None:
        given |= _asked_for(signature, given, factory.args, label, offered)
        if "model" in given and not _takes(signature, "params"):
            given.pop("params", None)  # an optimizer that takes the model gets them from it
        for name in handed if nested else ():
            if not _takes(signature, name):  # the nested targets have it
                given.pop(name)
        _check_arguments(signature, given, f"{key}: {target}", *factory.args)
    try:
        return cast("object", factory.func(*factory.args, **given))
    except Exception as error:
        if (wrong := wrong_arguments(error, key, target, signature, given)) is None:
            raise
        raise wrong from error


def _divided(settings: Config) -> tuple[Config, Config]:
    """Return what Hydra is asked for, and the arguments that it need not see."""
    if _is_for_hydra(settings):
        # As separate arguments, these two would be merged into a copy, which doubles the time.
        return {"_convert_": "all", **settings, "_partial_": True}, {}
    # Hydra takes three times as long with the arguments.
    arguments = {name: each for name, each in settings.items() if name != "_target_"}
    return {"_target_": settings["_target_"], "_partial_": True}, deepcopy(arguments)


def _factory(asked: Config, key: str) -> Any:  # noqa: ANN401 - what Hydra makes of the settings
    """Return what a target is called by, with its arguments.

    Raises:
        ConfigError: If it does not exist.
    """
    try:
        return instantiate(asked)
    except InstantiationException as error:
        raise as_config_error(error, asked["_target_"], key) from error


def _call_nested(settings: Config, key: str, offered: Mapping[str, object]) -> Config:
    """Return the arguments in which a nested target requires an offered module, with targets called."""
    if not offered or settings.get("_recursive_") is False:
        return {}
    return {
        name: _called(each, f"{key}.{name}", offered)
        for name, each in settings.items()
        if name != "_args_" and _holds_requiring(each, offered)
    }


def _holds_requiring(value: object, offered: Mapping[str, object]) -> bool:
    """Return whether a value has a target with a required parameter for a module, and no value for it."""
    if isinstance(value, list):
        return any(_holds_requiring(each, offered) for each in value)
    if not isinstance(value, dict) or value.get("_partial_") or value.get("_recursive_") is False:
        return False
    return _requires(value, offered) or any(
        _holds_requiring(each, offered) for each in value.values()
    )


def _requires(settings: Config, offered: Mapping[str, object]) -> bool:
    if not isinstance(target := settings.get("_target_"), str) or "_args_" in settings:
        return False
    try:
        signature = _signature(find_function(target, ""))
    except ConfigError:  # Hydra tells where it is
        return False
    return signature is not None and any(
        _takes(signature, name) and signature.parameters[name].default is inspect.Parameter.empty
        for name in offered.keys() - settings.keys()
    )


def _called(value: object, key: str, offered: Mapping[str, object]) -> object:
    """Return a value in which targets are called."""
    if isinstance(value, dict) and "_target_" in value:
        return call_target(value, key, offered=offered)
    if isinstance(value, dict):
        return {name: _called(each, f"{key}.{name}", offered) for name, each in value.items()}
    if isinstance(value, list):
        return [_called(each, f"{key}[{place}]", offered) for place, each in enumerate(value)]
    return deepcopy(value)  # the target may change it


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


def find_function(name: str, key: str) -> Callable[..., object]:
    """Return the function or class of a dotted name.

    Raises:
        ConfigError: If it does not exist.
    """
    try:
        factory = instantiate({"_target_": name, "_partial_": True})
    except InstantiationException as error:
        raise ConfigError(f"{key}: cannot use {name!r}: {reason_of(error)}. Correct it.") from error
    return cast("Callable[..., object]", factory.func)
