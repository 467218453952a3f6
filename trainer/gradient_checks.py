"""Checks for unused gradients: of tensors that are part of the loss, and that no optimizer has, or of none at all."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from torch import Tensor, nn

from trainer.errors import ConfigError
from trainer.groups import optimizers_in, trained_by
from trainer.loading.object_graph import reachable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from torch.optim import Optimizer

    from trainer.build import Modules

# The limits of the search: objects, and items of each container.
MOST_OBJECTS: Final = 4_000
MOST_ITEMS: Final = 256
PYTORCHS: Final = frozenset(vars(nn.Module()))  # the attributes of every module


def check_any_gradient(optimizer: Optimizer) -> None:
    """Check, after the first gradients were computed, that the optimizer has one to step with.

    Raises:
        ConfigError: If it does not: nothing would be trained.
    """
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    # With such a hook, a gradient may be used and cleared while it is computed.
    if all(each.grad is None and not _has_hook(each) for each in parameters):
        raise ConfigError(
            f"optimizer: no parameter of {type(optimizer).__name__} has a gradient, so nothing would be"
            " trained. Compute the loss from the outputs of the model and these from its parameters,"
            " which have to be created in its constructor."
        )


def _has_hook(parameter: Tensor) -> bool:
    return bool(getattr(parameter, "_post_accumulate_grad_hooks", None))


def check_gradients_used(modules: Modules, before: Collection[int]) -> None:
    """Check, after a step, that gradients of new parameters and of the criterion's tensors are used.

    Parameters of an `nn.Module` are known before; this finds the tensors of any other object.

    Args:
        modules: The modules.
        before: The identities of the model's parameters when the optimizer was built.

    Raises:
        ConfigError: If one is not used: the tensor is part of the loss, and would never be trained.
    """
    criterion = modules.criterion
    own = [each for module in modules.by_role().values() for each in optimizers_in(module)]
    known = trained_by([modules.optimizer, *own])
    for name, parameter in modules.model.named_parameters():
        if id(parameter) not in known and id(parameter) not in before and _has_gradient(parameter):
            raise ConfigError(
                f"model: {name} was created after the optimizer, which does not have it, so it would"
                " never be trained. Create it in the constructor, as a lazy module if its shape depends"
                " on the data, or call trainer.optimizer.add_param_group."
            )
    known |= {id(each) for each in modules.model.parameters()}  # they may be frozen
    for path, tensor in _hidden_in(modules.model):
        if id(tensor) not in known and _has_gradient(tensor):
            raise ConfigError(
                f"model.{path}: the loss has a gradient for this tensor, but no optimizer has it, because"
                " PyTorch finds modules and parameters in attributes only. Use nn.ModuleList,"
                " nn.ModuleDict or nn.Parameter, or call requires_grad_(False)."
            )
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


def _hidden_in(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors in lists, tuples and dictionaries of a model, where PyTorch does not find them."""
    for prefix, module in model.named_modules():
        for name, value in vars(module).items():
            if name in PYTORCHS:
                continue
            path = f"{prefix}.{name}" if prefix else name
            for where, each in _items_of(value):
                if isinstance(each, Tensor):
                    yield f"{path}{where}", each
                elif isinstance(each, nn.Module):
                    for inner, tensor in each.named_parameters():
                        yield f"{path}{where}.{inner}", tensor


def _items_of(value: object) -> Iterable[tuple[str, object]]:
    if isinstance(value, dict):
        return [(f"[{key!r}]", each) for key, each in islice(value.items(), MOST_ITEMS)]
    if isinstance(value, (list, tuple)):
        return [(f"[{place}]", each) for place, each in enumerate(value[:MOST_ITEMS])]
    return [("", value)]


def _has_gradient(tensor: Tensor) -> bool:
    return tensor.is_leaf and tensor.grad is not None
