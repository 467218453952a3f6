"""Mlp maps samples of any shape to logits."""

import torch

from trainer.models.mlp import Mlp


def test_mlp_flattens_its_samples() -> None:
    """Any shape of sample gives one row of logits each."""
    assert Mlp((1, 8, 8), classes=10, hidden=4)(torch.rand(3, 1, 8, 8)).shape == (3, 10)
