"""The mean of losses is that of their samples, however many are summed together."""

from __future__ import annotations

import pytest
import torch

from trainer.errors import ConfigError
from trainer.mean_loss import TOGETHER, MeanLoss


@pytest.mark.parametrize("batches", [1, 2, TOGETHER, TOGETHER + 1, 2 * TOGETHER + 3])
def test_mean_is_weighted_by_the_number_of_samples(batches: int) -> None:
    losses, total, count = MeanLoss(), 0.0, 0
    for number in range(batches):
        losses.add(torch.tensor(float(number)), number + 1)
        total, count = total + number * (number + 1), count + number + 1
    assert losses.mean() == pytest.approx(total / count)
    assert losses.is_finite


def test_loss_that_is_not_finite_is_noticed_when_losses_are_summed() -> None:
    losses = MeanLoss()
    losses.add(torch.tensor(float("nan")), 1)
    losses.mean()
    assert not losses.is_finite


def test_mean_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="there is no sample left"):
        MeanLoss().mean()
