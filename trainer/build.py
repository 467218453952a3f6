"""Builds the modules that the groups of a configuration name."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from trainer.deciding_keys import deciding_keys
from trainer.errors import ConfigError
from trainer.group_folders import advise_choice
from trainer.groups import check_finite, check_options, divide, left_to, trainable
from trainer.hydra_targets import build, takes
from trainer.model_call import is_about_values
from trainer.required_methods import check_methods
from trainer.schedule_interval import STEP, without_interval
from trainer.schedule_steps import check_direction, check_rates, try_out
from trainer.settings import label_of, read_group
from trainer.target_errors import first_line
from trainer.validation_split import read_split, split_off

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor
    from torch.utils.data import Dataset

    from trainer.settings import Config, TrainingSettings

Kind = TypeVar("Kind")
PARTS = ("train", "validation", "test")
BUILT = ("data", "model", "criterion", "optimizer", "scheduler", "curriculum")  # in this order
GROUPS = ("data", "model", "optimizer", "scheduler", "criterion", "curriculum")


class DataModule(Protocol):
    """A data module: three data sets of (sample, target) pairs, each with a length."""

    train: Dataset[Any]
    validation: Dataset[Any]
    test: Dataset[Any]


@dataclass(frozen=True, slots=True)
class Modules:
    """The modules of a configuration, by their roles."""

    data: DataModule
    model: nn.Module
    optimizer: Optimizer
    scheduler: LRScheduler | None
    criterion: Callable[..., Tensor] | None
    curriculum: object | None

    def by_role(self) -> dict[str, object]:
        """Return the modules that exist, in the order in which their callbacks are called."""
        found = {role: getattr(self, role) for role in GROUPS}
        return {role: module for role, module in found.items() if module is not None}


def build_modules(config: Config, device: torch.device) -> Modules:
    """Build all modules, with model and criterion on the device.

    Initial weights are drawn from the global generators: seed them before. A target with a parameter
    for a module that was built before gets it; the order is data, model, criterion, optimizer,
    scheduler, curriculum.

    Raises:
        ConfigError: If a required group is absent, or a group names something that does not exist,
            has the wrong arguments, or is of the wrong type for its role.
    """
    data = build_data(config)
    found: dict[str, object] = {"data": data}
    model = playing(required(build(config, "model", found), "model"), "model", nn.Module)
    model = found["model"] = placed(model, "model", device)
    criterion = build(config, "criterion", found)  # None if the model computes the loss
    if isinstance(criterion, partial) and inspect.isclass(criterion.func):
        raise ConfigError(
            f"criterion._partial_: {criterion.func.__name__} is a class, which would be constructed for each"
            " batch. Remove _partial_."
        )
    if isinstance(criterion, nn.Module):
        criterion = placed(criterion, "criterion", device)
    found["criterion"] = criterion
    optimizer = found["optimizer"] = build_optimizer(config, found)
    of_schedule = without_interval(config)
    scheduler = build(of_schedule, "scheduler", found, optimizer=optimizer)
    if scheduler is not None and is_pytorchs(config, "scheduler"):
        try_out(
            lambda like: build(
                of_schedule, "scheduler", found | {"optimizer": like}, optimizer=like
            ),
            optimizer,
        )
    if scheduler is not None:
        found["scheduler"] = scheduler = playing(scheduler, "scheduler", LRScheduler)
        check_scheduled(scheduler, optimizer)
        check_direction(scheduler)
        check_rates(scheduler)
    return Modules(
        data=cast("DataModule", data),
        model=model,
        optimizer=optimizer,
        scheduler=scheduler,
        criterion=cast("Any", criterion),
        curriculum=build(config, "curriculum", found),
    )


def build_data(config: Config) -> object:
    """Build the data module, with a validation set that is split off if the config says so.

    Raises:
        ConfigError: If it does not exist, has the wrong arguments, cannot be split, or lacks a part.
    """
    data = required(build(config, "data"), "data")
    split_off(data, read_split(read_group(config, "validation_split")), config.get("seed"))
    for part in PARTS:
        if not hasattr(data, part):
            instead = ", or set validation_split.size" if part == "validation" else ""
            raise ConfigError(
                f"data: {type(data).__name__} has no {part!r} data set. Give it one{instead}."
            )
    return data


def placed(module: nn.Module, role: str, device: torch.device) -> nn.Module:
    """Return a module moved to a device.

    Raises:
        ConfigError: If PyTorch cannot move it, as parameters without values, or a module that is its
            own child.
    """
    try:
        check_methods(module, role)
        moved: object = module.to(device)
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:
        if not is_about_values(error):
            raise
        raise ConfigError(
            f"{role}: {type(module).__name__} cannot be moved to {device}: {first_line(error)}. Correct"
            " its constructor."
        ) from error
    if not isinstance(moved, nn.Module):
        raise ConfigError(
            f"{role}: {type(module).__name__}.to() returns a {type(moved).__name__}. Let it return the"
            " module."
        )
    return moved


def build_again(config: Config, role: str, modules: Mapping[str, object]) -> object | None:
    """Build one module again, with the others as they are.

    Args:
        config: The whole configuration.
        role: Its role.
        modules: The modules by their roles.
    """
    before = BUILT[: BUILT.index(role)]
    found = {each: modules.get(each) for each in before}
    if role == "optimizer":
        return build_optimizer(config, found)
    if role == "scheduler":
        return build(without_interval(config), role, found, optimizer=modules["optimizer"])
    return build(config, role, found)


def is_pytorchs(config: Config, group: str) -> bool:
    """Return whether a group names a class of PyTorch, which may be built twice."""
    return str(read_group(config, group).get("_target_")).startswith("torch.")


def build_optimizer(config: Config, found: Mapping[str, object]) -> Optimizer:
    """Build the optimizer of the parameters of the model and the criterion.

    Args:
        config: The whole configuration.
        found: The modules that are already built.

    Raises:
        ConfigError: If the group or its `groups` are invalid.
    """
    model = cast("nn.Module", found["model"])
    others = trainable(found["criterion"], model)
    own = left_to(found["criterion"], model)
    params: object = [
        *(each for each in model.parameters() if id(each) not in own),
        *others.values(),
    ]
    if own and not params:
        raise ConfigError(
            f"optimizer: {type(model).__name__} trains all parameters by optimizers of its own. Leave some"
            " to the optimizer of the config, whose learning rate is reported."
        )
    settings = {**read_group(config, "optimizer")}
    entries = None
    if settings.get("_target_") and not takes(config, "optimizer", "groups"):
        entries = settings.pop("groups", None)
    if entries is not None:
        params = divide(model, others, entries, without=own)
        config = {**config, "optimizer": {**settings, "name": label_of(config, "optimizer")}}
    offered = {**found, "params": params}
    built = required(build(config, "optimizer", offered, params=params), "optimizer")
    optimizer = playing(built, "optimizer", Optimizer)
    if not getattr(optimizer, "param_groups", None):
        raise ConfigError(
            f"optimizer: {type(optimizer).__name__} has no parameter groups. Call super().__init__(params,"
            " defaults) in its constructor."
        )
    options = [settings, *(entries if isinstance(entries, list) else [])]
    check_finite(optimizer, {key for each in options for key in each})
    if entries is not None:
        check_options(optimizer, entries)
        if is_pytorchs(config, "optimizer"):
            _check_values(config, entries)
    return optimizer


def _check_values(config: Config, entries: Any) -> None:  # noqa: ANN401 - `divide` has checked it
    """Make sure of the values of groups: PyTorch looks only at those for all groups.

    Raises:
        ConfigError: If the optimizer would refuse one that is given to it for all.
    """
    for place, entry in enumerate(entries):
        whole = {**read_group(config, "optimizer"), **entry}
        taken = [key for key in whole if takes({"optimizer": whole}, "optimizer", key)]
        tried = {key: whole[key] for key in ("_target_", *taken)}
        try:
            build({"optimizer": tried}, "optimizer", params=[nn.Parameter(torch.zeros(1))])
        except ConfigError as error:
            raise ConfigError(f"optimizer.groups[{place}]: {error}") from error


def fingerprinted(config: Config, settings: TrainingSettings, interval: str) -> Config:
    """Return the part of a configuration that decides the results, including names that targets use.

    Args:
        config: The configuration.
        settings: What the trainer reads of it.
        interval: The interval of the scheduler, which its class may tell.
    """
    decides = deciding_keys(config, settings)
    if interval == STEP:
        decides = {**decides, "interval": interval}
    used = {group: label_of(config, group) for group in GROUPS if takes(config, group, "name")}
    return {**decides, "names": used} if used else decides


def check_scheduled(scheduler: LRScheduler, optimizer: Optimizer) -> None:
    """Check that a scheduler changes the rate of the optimizer, or of one that shares its parameter groups.

    Raises:
        ConfigError: If it does not: it would have no effect.
    """
    other = getattr(scheduler, "optimizer", None)
    groups = {*map(id, optimizer.param_groups)}
    if isinstance(other, Optimizer) and groups.isdisjoint(map(id, other.param_groups)):
        raise ConfigError(
            f"scheduler: {type(scheduler).__name__} changes the rate of another optimizer, a"
            f" {type(other).__name__}. Give it the one that it gets as `optimizer`."
        )


def required(module: object | None, group: str) -> object:
    """Return a required module.

    Raises:
        ConfigError: If the group does not name one.
    """
    if module is None:
        raise ConfigError(f"{group}._target_: missing. {advise_choice(group)}")
    return module


def playing(module: object, role: str, kind: type[Kind]) -> Kind:
    """Return a module as an instance of the class that its role requires.

    Raises:
        ConfigError: If it is not an instance of it.
    """
    if not isinstance(module, kind):
        found, wanted = type(module).__name__, f"{kind.__module__}.{kind.__qualname__}"
        raise ConfigError(f"{role}._target_: it returns a {found}, not a {wanted}. Name another.")
    return module
