"""A recorded step takes the step of other batches, and returns its loss."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, cast

import pytest
import torch
from recorded_kernels import Recorder
from torch import Tensor, nn

from trainer.build import Modules
from trainer.recorded_step import RecordedStep, rates_of
from trainer.update import Update


def make() -> Update:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    modules = Modules(
        data=cast("Any", None),
        model=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        scheduler=None,
        criterion=nn.CrossEntropyLoss(),
        curriculum=None,
    )
    update = Update(modules, torch.device("cpu"), nullcontext(), None)
    update.take([batch(0)])
    return update


def batch(seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(4, 3, generator=generator), torch.tensor([0, 1, 1, 0])


@pytest.mark.parametrize("has_optimizer", [True, False])
def test_step_of_other_batches_is_taken(*, has_optimizer: bool) -> None:
    """Recording computes nothing, and each loss is the caller's."""
    update, plain = make(), make()
    step = RecordedStep(update, Recorder(), [batch(0)], has_optimizer=has_optimizer)
    losses, expected = [], []
    for seed in range(1, 5):
        losses.append(step.replay_with([batch(seed)]))
        if not has_optimizer:
            update.step()
        expected.append(plain.take([batch(seed)])[0])
    assert step.samples == 4
    assert torch.equal(torch.stack(losses), torch.stack(expected))
    for one, other in zip(update.model.parameters(), plain.model.parameters(), strict=True):
        assert torch.equal(one, other)
        assert torch.equal(cast("Tensor", one.grad), cast("Tensor", other.grad))


def test_rate_that_is_changed_in_place_is_another_one() -> None:
    """As a scheduler changes one in a tensor."""
    weights = [torch.zeros(1, requires_grad=True)]
    optimizer = torch.optim.SGD(weights, lr=torch.tensor(0.1))
    before = rates_of(optimizer)
    assert rates_of(optimizer) == before
    optimizer.param_groups[0]["lr"].fill_(0.2)
    assert rates_of(optimizer) != before
