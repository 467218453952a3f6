"""The recorded step: a step with batches of one shape, which a graph computes again with others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from trainer.batch_shape import copied
from trainer.replay_check import check_replay
from trainer.state_digest import tensors_in

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from trainer.cuda_graphs import Graphs
    from trainer.training_position import Batch
    from trainer.update import Update


class RecordedStep:
    """A step with batches of one shape.

    Args:
        update: Computes it.
        graphs: Records it.
        batches: Batches of its shape, which are copied.
        has_optimizer: Whether the step of the optimizer belongs to it.
    """

    def __init__(
        self, update: Update, graphs: Graphs, batches: list[Batch], *, has_optimizer: bool
    ) -> None:
        self._update = update
        self._graphs = graphs
        self._has_optimizer = has_optimizer
        self._batches = copied(batches)
        self._inputs = [*tensors_in(self._batches)]
        self.samples = 0
        self._replay, self._loss = graphs.record(self._compute)
        self._gradients = [
            (each, each.grad) for module in update.modules.values() for each in module.parameters()
        ]

    def replay_with(self, batches: list[Batch]) -> Tensor:
        """Take the step with other batches, and return the loss."""
        for kept, given in zip(self._inputs, tensors_in(batches), strict=True):
            kept.copy_(given)
        return self._replayed().clone()

    def check(self) -> None:
        """Check that it gives the same bits as a step that is computed.

        Raises:
            ConfigError: If it does not.
        """
        check_replay(self._update, self._graphs, self._compute, self._replayed, self._inputs)

    def _compute(self) -> Tensor:
        loss, self.samples = self._update.evaluate(self._batches)
        if self._has_optimizer:
            self._update.step()
        return loss

    def _replayed(self) -> Tensor:
        self._replay()
        for parameter, gradient in self._gradients:
            parameter.grad = gradient
        return self._loss


def rates_of(optimizer: Optimizer) -> list[dict[str, object]]:
    """Return what the steps of an optimizer depend on besides tensors of the GPU, as it is now."""
    return [
        {name: len(each) if name == "params" else _number_now(each) for name, each in group.items()}
        for group in optimizer.param_groups
    ]


def _number_now(value: object) -> object:
    """Return a value that is another one after it was changed in place, unless a GPU reads it."""
    return (
        value.item() if isinstance(value, Tensor) and value.is_cpu and value.numel() == 1 else value
    )
