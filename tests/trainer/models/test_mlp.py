"""Mlp maps samples of any shape to logits."""

import pytest
import torch

from trainer.models.mlp import Mlp


def test_mlp_flattens_its_samples() -> None:
    """Any shape of sample gives one row of logits each."""
    assert Mlp((1, 8, 8), classes=10, hidden=4)(torch.rand(3, 1, 8, 8)).shape == (3, 10)


def test_mlp_is_not_made_without_hidden_units() -> None:
    """Its outputs would not depend on the samples."""
    with pytest.raises(ValueError, match=r"^Invalid hidden: 0"):
        Mlp((6,), classes=2, hidden=0)
