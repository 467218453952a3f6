"""Unused gradients: of tensors that are part of the loss, and that no optimizer has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from torch import Tensor

from trainer.errors import ConfigError
from trainer.groups import optimizers_in, trained_by
from trainer.loading.object_graph import reachable

if TYPE_CHECKING:
    from trainer.build import Modules

# The limits of the search: objects, and items of each container.
MOST_OBJECTS: Final = 4_000
MOST_ITEMS: Final = 256


def check_gradients_used(modules: Modules) -> None:
    """Check, after a step, that every gradient of the criterion's tensors is used by an optimizer.

    Parameters of an `nn.Module` are known before; this finds the tensors of any other object.

    Raises:
        ConfigError: If one is not used: the tensor is part of the loss, and would never be trained.
    """
    criterion = modules.criterion
    own = [each for module in modules.by_role().values() for each in optimizers_in(module)]
    known = trained_by([modules.optimizer, *own])
    known |= {id(each) for each in modules.model.parameters()}  # they may be frozen
    held = reachable(
        criterion, most_objects=MOST_OBJECTS, most_items=MOST_ITEMS, into_packages=False
    )
    for path, each in held:
        if isinstance(each, Tensor) and id(each) not in known and _has_gradient(each):
            raise ConfigError(
                f"criterion{path}: the loss has a gradient for this tensor, but no optimizer has it."
                f" Make {type(criterion).__name__} an nn.Module with parameters, or call"
                " requires_grad_(False)."
            )


def _has_gradient(tensor: Tensor) -> bool:
    return tensor.is_leaf and tensor.grad is not None
