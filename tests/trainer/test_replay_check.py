"""The check of a replayed step leaves no trace, and names what differs."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, cast

import pytest
import torch
from torch import Tensor, nn

from trainer.build import Modules
from trainer.errors import ConfigError
from trainer.replay_check import check_replay
from trainer.update import Update

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLES = torch.randn(4, 3), torch.tensor([0, 1, 0, 1])


class Cpu:
    """Has the random generator of the CPU."""

    def random_state(self) -> Tensor:
        return torch.get_rng_state()

    def set_random_state(self, state: Tensor) -> None:
        torch.set_rng_state(state)


def make() -> Update:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
    modules = Modules(
        data=cast("Any", None),
        model=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
        scheduler=None,
        criterion=nn.CrossEntropyLoss(),
        curriculum=None,
    )
    update = Update(modules, torch.device("cpu"), nullcontext(), None)
    update.take([SAMPLES])
    return update


def taking(update: Update, fault: Callable[[], object] = bool) -> Callable[[], Tensor]:
    def take() -> Tensor:
        loss, _ = update.take([SAMPLES])
        return loss + (fault() or 0)

    return take


def state_of(update: Update) -> list[Tensor]:
    kept = update.optimizer.state_dict()["state"]
    momenta = [each["momentum_buffer"] for each in kept.values()]
    return [each.clone() for each in (*update.model.state_dict().values(), *momenta)]


def test_same_step_passes_and_leaves_no_trace() -> None:
    """Weights, statistics, momenta and random numbers are as they were; a loss that is NaN equals itself."""
    update = make()
    before, drawn = state_of(update), torch.get_rng_state()
    check_replay(update, cast("Any", Cpu()), taking(update), taking(update))
    check_replay(update, cast("Any", Cpu()), *[taking(update, lambda: float("nan"))] * 2)
    assert torch.equal(torch.get_rng_state(), drawn)
    for one, other in zip(state_of(update), before, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        (lambda _: 1e-6, "the loss"),
        (
            lambda update: update.model[3].weight.grad.add_(1).dim() * 0,
            "the gradient of model.3.weight",
        ),
        (lambda update: update.model[0].bias.data.add_(1).dim() * 0, "model.0.bias"),
        (lambda update: update.model[1].running_mean.add_(1).dim() * 0, "model.1.running_mean"),
        (
            lambda update: (
                update.optimizer.state[update.model[0].weight]["momentum_buffer"].add_(1).dim() * 0
            ),
            "momentum_buffer of model.0.weight in the optimizer",
        ),
        (lambda _: torch.rand(1) * 0, "the state of the random generator"),
        (lambda update: update.model[3].zero_grad(), "the number of gradients"),
    ],
)
def test_difference_is_named(fault: Callable[[Update], object], named: str) -> None:
    """Any bit counts."""
    update = make()
    with pytest.raises(
        ConfigError, match=rf"^cuda_graph: {named} is another one where a step is replayed"
    ):
        check_replay(
            update, cast("Any", Cpu()), taking(update), taking(update, lambda: fault(update))
        )
