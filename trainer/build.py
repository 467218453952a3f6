"""Owns how the groups of a configuration become modules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from trainer.errors import ConfigError
from trainer.targets import build

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import Tensor
    from torch.utils.data import Dataset

    from trainer.settings import Config

Kind = TypeVar("Kind")
PARTS = ("train", "validation", "test")


class DataModule(Protocol):
    """Offer three data sets of (sample, target) pairs, each with a length."""

    train: Dataset[Any]
    validation: Dataset[Any]
    test: Dataset[Any]


@dataclass(frozen=True, slots=True)
class Modules:
    """Hold the objects that a configuration names, by their roles."""

    data: DataModule
    model: nn.Module
    optimizer: Optimizer
    scheduler: LRScheduler | None
    criterion: Callable[[Tensor, Tensor], Tensor]
    curriculum: object | None

    def by_role(self) -> dict[str, object]:
        """Return the modules that exist, in the order in which their callbacks are called."""
        roles = ("data", "model", "optimizer", "scheduler", "criterion", "curriculum")
        found = {role: getattr(self, role) for role in roles}
        return {role: module for role, module in found.items() if module is not None}


def build_modules(config: Config, device: torch.device) -> Modules:
    """Build every module, model and criterion on the device.

    Random initial weights come from the global generators: seed them before.

    Raises:
        ConfigError: If a required group is absent, or a group names something that is not there,
            has the wrong arguments, or cannot play its role.
    """
    data = required(build(config, "data"), "data")
    for part in PARTS:
        if not hasattr(data, part):
            raise ConfigError(f"data: {type(data).__name__} has no {part!r} data set. Give it one.")
    model = playing(required(build(config, "model"), "model"), "model", nn.Module).to(device)
    optimizer = playing(
        required(build(config, "optimizer", params=model.parameters()), "optimizer"),
        "optimizer",
        Optimizer,
    )
    scheduler = build(config, "scheduler", optimizer=optimizer)
    criterion = required(build(config, "criterion"), "criterion")
    return Modules(
        data=cast("DataModule", data),
        model=model,
        optimizer=optimizer,
        scheduler=None if scheduler is None else playing(scheduler, "scheduler", LRScheduler),
        criterion=criterion.to(device)
        if isinstance(criterion, nn.Module)
        else cast("Any", criterion),
        curriculum=build(config, "curriculum"),
    )


def required(module: object | None, group: str) -> object:
    """Return a module that no training can do without.

    Raises:
        ConfigError: If the group names none.
    """
    if module is None:
        raise ConfigError(
            f"{group}._target_: missing. Choose one of conf/{group}/, or name a class."
        )
    return module


def playing(module: object, role: str, kind: type[Kind]) -> Kind:
    """Return a module as the kind of object that its role demands.

    Raises:
        ConfigError: If it is another kind of object.
    """
    if not isinstance(module, kind):
        found, wanted = type(module).__name__, f"{kind.__module__}.{kind.__qualname__}"
        raise ConfigError(f"{role}._target_: it gives a {found}, not a {wanted}. Name another.")
    return module
