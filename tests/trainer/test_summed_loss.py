"""A loss that is summed over a batch is named: the losses that are reported grow with the size of batches."""

from __future__ import annotations

from functools import partial

import pytest
from torch import Tensor, nn
from torch.nn import functional

from trainer.settings import read_settings
from trainer.summed_loss import describe_sum


class Own(nn.MSELoss):
    """Sum squares, and divide by something."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Map both to a loss."""
        return super().forward(outputs, targets) / len(targets)


@pytest.mark.parametrize(
    "criterion",
    [
        nn.MSELoss(reduction="sum"),
        nn.CrossEntropyLoss(reduction="sum"),
        type("Named", (nn.L1Loss,), {})(reduction="sum"),
        partial(functional.cross_entropy, reduction="sum"),
    ],
)
@pytest.mark.parametrize("accumulate", [1, 2])
def test_sum_of_a_batch_is_named(criterion: object, accumulate: int) -> None:
    settings = read_settings({"seed": 0, "iterations": 1, "accumulate": accumulate})
    found = describe_sum(criterion, settings)
    assert found.startswith("criterion.reduction: with sum, the losses that are reported")
    assert ("accumulate" in found) is (accumulate > 1)


@pytest.mark.parametrize(
    "criterion",
    [
        nn.MSELoss(),
        nn.KLDivLoss(reduction="batchmean"),
        partial(functional.cross_entropy),
        Own(reduction="sum"),
        partial(print, reduction="sum"),
        type("Own", (), {"reduction": "sum"})(),
        None,
    ],
)
def test_other_losses_are_not(criterion: object) -> None:
    """What a criterion of the user's own gives is not known."""
    assert describe_sum(criterion, read_settings({"seed": 0, "iterations": 1})) == ""
