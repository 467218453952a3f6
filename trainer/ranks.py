"""The ranks of a run: processes that train one model together, each on its share of the samples.

They exchange gradients, losses and decisions with `torch.distributed`, whose state says whether there are
any. Gradients are averaged in one order, after all of them are computed, so that an interrupted run gives
the same bits as any other; without ranks, every function here does nothing.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import torch
from torch import distributed, nn
from torch.nn.parameter import is_lazy

from trainer.errors import ConfigError
from trainer.seeding import seed_everything

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from torch import Tensor

T = TypeVar("T")

# Lazy layers that draw no weights.
CONSTANT: Final = (
    *(nn.LazyBatchNorm1d, nn.LazyBatchNorm2d, nn.LazyBatchNorm3d),
    *(nn.LazyInstanceNorm1d, nn.LazyInstanceNorm2d, nn.LazyInstanceNorm3d),
)


def count_ranks() -> int:
    """Return the number of ranks; 1 without any."""
    return distributed.get_world_size() if _are_there() else 1


def own_rank() -> int:
    """Return the number of this rank, from 0; the first one writes the files of the run."""
    return distributed.get_rank() if _are_there() else 0


def _are_there() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def average(parameters: Sequence[Tensor], loss: Tensor) -> Tensor:
    """Replace the gradients of parameters by their mean over the ranks, and return that of the loss.

    A parameter without a gradient on some ranks has zero there; without any, it keeps none.
    """
    ranks = count_ranks()
    has = [0.0 if each.grad is None else 1.0 for each in parameters]
    head = torch.tensor([0.0, *has], dtype=torch.float64, device=loss.device)
    head[0] = loss.detach()
    distributed.all_reduce(head)
    mean, *counts = head.tolist()
    used = [each for each, with_one in zip(parameters, counts, strict=True) if with_one]
    alike: dict[tuple[torch.device, torch.dtype], list[Tensor]] = defaultdict(list)
    for parameter in used:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        if parameter.grad.layout is not torch.strided:
            raise ConfigError(
                "model: it has sparse gradients, which ranks cannot exchange. Set sparse: false, or"
                " world_size: 1."
            )
        alike[parameter.grad.device, parameter.grad.dtype].append(parameter.grad)
    for gradients in alike.values():
        together = torch.cat([each.reshape(-1) for each in gradients])
        distributed.all_reduce(together)
        together /= ranks
        parts = torch.split(together, [each.numel() for each in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))
    return torch.tensor(mean / ranks, dtype=loss.dtype, device=loss.device)


@contextmanager
def own_random_numbers(seed: int, iteration: int, model: nn.Module) -> Iterator[None]:
    """Let each rank draw its own random numbers in the steps of an iteration, and the same ones afterwards.

    Afterwards, the buffers of the model, such as the running means of batch normalization, are those of the
    first rank.
    """
    if own_rank():
        seed_everything(seed, "iteration", iteration, "rank", own_rank())
    yield
    if count_ranks() > 1:
        seed_everything(seed, "iteration", iteration, "after the steps")
        with torch.no_grad():
            for buffer in model.buffers():
                _take_from_first(buffer)


def _take_from_first(tensor: Tensor) -> None:
    """Give a tensor the values of the first rank, as bytes: gloo knows few dtypes, and no gaps."""
    if tensor.layout is not torch.strided:
        found = agree(tensor)
        if found is not tensor:
            tensor.resize_as_sparse_(found).copy_(found)
        return
    for dim, (size, stride) in enumerate(zip(tensor.shape, tensor.stride(), strict=True)):
        if size > 1 and not stride:  # it is expanded: all have the same memory
            tensor = tensor.narrow(dim, 0, 1)
    dense = tensor.resolve_conj().resolve_neg().contiguous()
    if dense.numel():
        # A tensor of one element may be contiguous with any stride.
        distributed.broadcast(dense.as_strided((dense.numel(),), (1,)).view(torch.uint8), 0)
    if dense is not tensor:
        tensor.copy_(dense)


def check_lazy(modules: Mapping[str, object]) -> None:
    """Check that the ranks begin with the same weights: in the first step, each would draw its own.

    A lazy layer of the user's own may draw none; if it does, the ranks differ after the first iteration.

    Args:
        modules: The modules by their roles.

    Raises:
        ConfigError: If a lazy layer of PyTorch has no weights yet, other than ones and zeros.
    """
    if count_ranks() == 1:
        return
    models = ((role, each) for role, each in modules.items() if isinstance(each, nn.Module))
    for path, module in (
        (path, it) for role, each in models for path, it in each.named_modules(prefix=role)
    ):
        lazy = [name for name, each in module.named_parameters(recurse=False) if is_lazy(each)]
        draws = type(module).__module__.startswith("torch.") and not isinstance(module, CONSTANT)
        if lazy and draws:
            name = f"{path}.{lazy[0]}"
            raise ConfigError(
                f"world_size: each rank would draw other weights for {name}, which has no shape before the"
                " first step. Give the layer its sizes, or call the model once in cb_on_train_begin."
            )


def agree(value: T) -> T:
    """Return the value of the first rank on all of them."""
    if count_ranks() == 1:
        return value
    told = [value]
    distributed.broadcast_object_list(told)
    return told[0]


def is_any(flag: object) -> bool:
    """Return whether a flag is set on any rank."""
    if count_ranks() == 1:
        return bool(flag)
    flags: list[object] = [None] * count_ranks()
    distributed.all_gather_object(flags, bool(flag))
    return any(flags)


def first_told(value: T | None) -> T | None:
    """Return the value of the first rank that has one, on all of them."""
    if count_ranks() == 1:
        return value
    told: list[Any] = [None] * count_ranks()
    distributed.all_gather_object(told, value)
    return next((each for each in told if each is not None), None)


def wait_for_all() -> None:
    """Wait until all ranks have come here."""
    if count_ranks() > 1:
        distributed.barrier()


def check_alike(digest: Callable[[], str], iteration: int) -> None:
    """Check that all ranks have the same state after an iteration.

    Raises:
        ConfigError: If they do not: a module learns from the samples of its rank alone.
    """
    if count_ranks() == 1:
        return
    digests: list[object] = [None] * count_ranks()
    distributed.all_gather_object(digests, digest())
    if len({*digests}) > 1:
        raise ConfigError(
            f"world_size: the ranks have different states after iteration {iteration}, so they no longer"
            " train one model. Let modules learn only from what all ranks see, or set world_size: 1."
        )
