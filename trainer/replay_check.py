"""The check of a replayed step: it has to give the same bits as one that is computed call by call."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from trainer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from trainer.cuda_graphs import Graphs
    from trainer.update import Update


def check_replay(
    update: Update,
    graphs: Graphs,
    compute: Callable[[], Tensor],
    replay: Callable[[], Tensor],
    inputs: Sequence[Tensor] = (),
) -> None:
    """Compute and replay a step from the same state, which is restored, and compare what they give.

    Args:
        update: Has the modules.
        graphs: Has the random generator of the device.
        compute: Computes the loss and the gradients, and with some optimizers, the new weights.
        replay: Does the same, by a graph.
        inputs: The batches of the step, which a model may change in place.

    Raises:
        ConfigError: If a bit differs.
    """
    changing = dict(tensors_of(update))
    changing |= {f"tensor {number} of the batch": each for number, each in enumerate(inputs)}
    before = {name: each.clone() for name, each in changing.items()}
    random_state = graphs.random_state()
    found = []
    for take in (compute, replay):
        try:
            loss = take()
            found.append(
                {
                    "the loss": loss.clone(),
                    **{name: each.clone() for name, each in _gradients_of(update)},
                    **{name: each.clone() for name, each in changing.items()},
                    "the state of the random generator": graphs.random_state(),
                }
            )
        finally:
            for name, each in changing.items():
                each.copy_(before[name])
            graphs.set_random_state(random_state)
    if wrong := _first_difference(*found):
        raise as_error(f"{wrong} is another one where a step is replayed than where it is computed")


@contextmanager
def kept_gradients(update: Update) -> Iterator[None]:
    """Leave the gradients as they are, in tensors of their own: callbacks read and keep them."""
    parameters = [each for module in update.modules.values() for each in module.parameters()]
    before = [None if each.grad is None else each.grad.clone() for each in parameters]
    try:
        yield
    finally:
        for parameter, gradient in zip(parameters, before, strict=True):
            parameter.grad = gradient


def as_error(difference: str) -> ConfigError:
    """Return the error that ends a run whose replayed steps may be wrong."""
    return ConfigError(
        f"cuda_graph: {difference}: something in the step is done by Python, and a graph does not repeat it."
        " Set cuda_graph: off. Iterations that were saved with it may be wrong, too: repeat the run with orch"
        " rerun."
    )


def _first_difference(computed: Mapping[str, Tensor], replayed: Mapping[str, Tensor]) -> str | None:
    if computed.keys() != replayed.keys():
        return "the number of gradients"
    are_same = [
        ((each == (other := replayed[name])) | ((each != each) & (other != other))).all().cpu()  # noqa: PLR0124 - NaN
        for name, each in computed.items()
    ]
    together = torch.stack(are_same)
    return None if together.all() else [*computed][int(together.long().argmin())]


def tensors_of(update: Update) -> Iterator[tuple[str, Tensor]]:
    """Yield what a step may change: parameters, buffers, and what the optimizer keeps of them."""
    parameters: dict[Tensor, str] = {}
    for role, module in update.modules.items():
        for name, parameter in module.named_parameters():
            parameters[parameter] = f"{role}.{name}"
            yield parameters[parameter], parameter.detach()
        yield from ((f"{role}.{name}", each.detach()) for name, each in module.named_buffers())
    for owner, kept in update.optimizer.state.items():
        of = parameters.get(owner, "a parameter")
        for name, each in kept.items():
            if isinstance(each, Tensor):
                yield f"{name} of {of} in the optimizer", each


def _gradients_of(update: Update) -> Iterator[tuple[str, Tensor]]:
    for role, module in update.modules.items():
        for name, parameter in module.named_parameters():
            if parameter.grad is not None:
                yield f"the gradient of {role}.{name}", parameter.grad
