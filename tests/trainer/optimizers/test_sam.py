"""SAM steps with the gradient of the worst point nearby, and keeps all its state in its base."""

from functools import partial
from typing import Any

import pytest
import torch
from run_files import MakeRun, Train, results_of
from torch import Tensor
from torch.nn import Parameter
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import StepLR

from trainer.errors import ConfigError
from trainer.optimizers.sam import Sam

SAM: dict[str, Any] = {
    "_target_": "trainer.optimizers.sam.Sam",
    "lr": 0.1,
    "base": {"_target_": "torch.optim.SGD", "_partial_": True, "momentum": 0.9},
}


def fourth_power(optimizer: Sam, weight: Tensor) -> Tensor:
    """Take a step on the sum of the weight's fourth powers, and return the loss."""

    def evaluate() -> Tensor:
        optimizer.zero_grad()
        loss = weight.pow(4).sum()
        loss.backward()
        return loss

    return optimizer.step(evaluate)


def test_step_uses_the_gradient_at_the_worst_point_nearby() -> None:
    """By hand: from (3, 4) the worst point within 0.5 is 0.5 up the gradient (108, 256)."""
    weight = Parameter(torch.tensor([3.0, 4.0], dtype=torch.float64))
    loss = fourth_power(Sam([weight], partial(SGD, lr=0.001), rho=0.5), weight)
    start = torch.tensor([3.0, 4.0], dtype=torch.float64)
    gradient = 4 * start**3
    worst = start + 0.5 * gradient / gradient.norm()
    assert loss.item() == 3**4 + 4**4
    torch.testing.assert_close(weight.detach(), start - 0.001 * 4 * worst**3)


def test_radius_of_zero_is_the_base_to_the_bit() -> None:
    """What is moved for the second evaluation is put back exactly."""
    weights = [Parameter(torch.tensor([0.1, -3.0, 1e-8])) for _ in range(2)]
    sam = Sam([weights[0]], partial(Adam, lr=0.1), rho=0.0)
    adam = Adam([weights[1]], lr=0.1)
    for _ in range(5):
        fourth_power(sam, weights[0])
        adam.zero_grad()
        weights[1].pow(4).sum().backward()
        adam.step()
    assert torch.equal(*weights)


def test_gradient_of_zero_moves_nothing() -> None:
    """There is no direction in which to look for a worse point."""
    weight = Parameter(torch.zeros(2))
    fourth_power(Sam([weight], partial(SGD, lr=0.1)), weight)
    assert weight.tolist() == [0, 0]


def test_scheduler_and_checkpoint_reach_the_base() -> None:
    """After its state is restored, a schedule still drives the optimizer that steps."""
    weight = Parameter(torch.ones(2))
    sam = Sam([weight], partial(SGD, momentum=0.9), lr=0.1)
    fourth_power(sam, weight)
    other = Sam([Parameter(weight.detach().clone())], partial(SGD, momentum=0.9), lr=0.5)
    other.load_state_dict(sam.state_dict())
    assert other.base.param_groups[0]["lr"] == 0.1
    momenta = [each["momentum_buffer"] for each in other.base.state.values()]
    assert torch.equal(momenta[0], sam.state[weight]["momentum_buffer"])
    scheduler = StepLR(other, step_size=1)
    other.zero_grad()
    fourth_power(other, other.param_groups[0]["params"][0])
    scheduler.step()
    assert other.base.param_groups[0]["lr"] == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rho": -1}, r"^optimizer: .*Invalid rho: -1\. Correct conf/optimizer/"),
        ({"rho": float("nan")}, r"^optimizer: .*Invalid rho: nan\. Correct conf/optimizer/"),
        ({"rho": float("inf")}, r"^optimizer: .*Invalid rho: inf\. Correct conf/optimizer/"),
        ({"momentun": 1}, r"^optimizer: .*base: .*unexpected keyword argument 'momentun'"),
    ],
)
def test_wrong_option_is_an_error_in_one_line(
    make_run: MakeRun, train: Train, changes: dict[str, Any], message: str
) -> None:
    """Also what only the base can know."""
    with pytest.raises(ConfigError, match=message):
        train(make_run(optimizer=SAM | changes))


@pytest.mark.parametrize(
    "changes", [{"clip_norm": 0.5}, {"accumulate": 3}, {"precision": "bfloat16"}]
)
def test_sam_works_with_what_the_trainer_does_to_gradients(
    make_run: MakeRun, train: Train, changes: dict[str, Any]
) -> None:
    """It learns, and not what it learns without."""
    digests = set()
    for name, keys in (("with", changes), ("without", {})):
        run_dir = make_run(name, optimizer=SAM, **keys)
        assert train(run_dir)["test/accuracy"] > 0.7
        digests.add(results_of(run_dir)["digest"])
    assert len(digests) == 2
