"""The step of an optimizer is recorded if the GPU computes all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from trainer.recordable_optimizer import is_recordable, place_of, places_of_state

if TYPE_CHECKING:
    from collections.abc import Callable


def weights() -> list[torch.Tensor]:
    return [torch.zeros(1, requires_grad=True)]


@pytest.mark.parametrize(
    ("made", "recordable"),
    [
        (lambda weights: torch.optim.SGD(weights, lr=0.1), True),
        (lambda weights: type("Own", (torch.optim.SGD,), {})(weights, lr=0.1), False),
        (torch.optim.Adam, False),
        (lambda weights: torch.optim.Adam(weights, capturable=True), True),
    ],
)
def test_optimizers_that_the_gpu_computes_alone_are_recorded(
    made: Callable[[Any], torch.optim.Optimizer],
    recordable: bool,  # noqa: FBT001
) -> None:
    """Others may compute on the host, as Adam does without `capturable`."""
    assert is_recordable(made(weights())) is recordable


def test_what_hangs_on_an_optimizer_is_called() -> None:
    """Hooks of its own and of all, and wrappers; those of PyTorch's schedulers do nothing but count."""
    optimizer = torch.optim.SGD(weights(), lr=0.1)
    torch.optim.lr_scheduler.ConstantLR(optimizer)
    assert is_recordable(optimizer)
    for hang in (
        optimizer.register_step_pre_hook,
        optimizer.register_step_post_hook,
        register_optimizer_step_post_hook,
    ):
        handle = hang(lambda *_: None)
        assert not is_recordable(optimizer)
        handle.remove()
    assert is_recordable(optimizer)
    wrapped = optimizer.step
    optimizer.step = lambda: wrapped()  # type: ignore[method-assign,misc] # noqa: PLW0108
    assert not is_recordable(optimizer)


def test_state_that_is_made_again_has_another_place() -> None:
    optimizer = torch.optim.SGD(weights(), lr=0.1, momentum=0.9)
    (weight,) = optimizer.param_groups[0]["params"]
    weight.grad = torch.ones(1)
    optimizer.step()
    before = places_of_state(optimizer)
    optimizer.step()
    assert places_of_state(optimizer) == before
    optimizer.load_state_dict(optimizer.state_dict())
    optimizer.state[weight]["momentum_buffer"] = torch.ones(1)
    assert places_of_state(optimizer) != before
    optimizer.state.clear()
    assert places_of_state(optimizer) == {}


def test_tensors_without_memory_of_their_own_have_a_place() -> None:
    for each in (torch.eye(2).to_sparse(), torch.nn.LazyLinear(1).weight):
        assert place_of(each) == place_of(each)
        assert place_of(each) != place_of(each.clone() if each.is_sparse else torch.ones(1))
