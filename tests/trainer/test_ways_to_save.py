"""PyTorch's ways to save a state are told apart from a user's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from trainer.models.mlp import Mlp
from trainer.ways_to_save import is_of_package, saves_its_own_way, saves_more


class Extra(nn.Linear):
    """A module with more in its state."""

    def get_extra_state(self) -> int:
        """Return something."""
        return 1


class Own:
    """An object with a state."""

    def state_dict(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Do nothing."""


class Still(torch.optim.SGD):
    """An optimizer whose state PyTorch saves."""


@pytest.mark.parametrize(
    ("module", "is_own_way"),
    [
        (Extra(1, 1), True),
        (nn.Sequential(Extra(1, 1)), True),
        (nn.Linear(1, 1), False),
        (Own(), True),
        (object(), False),
        (Still([torch.zeros(1)], lr=0.1), False),
    ],
)
def test_ways_of_ones_own_are_seen(module: object, is_own_way: bool) -> None:  # noqa: FBT001 - a case
    assert saves_its_own_way(module) is is_own_way


def test_a_module_answers_for_itself_alone() -> None:
    assert saves_more(Extra)
    assert not saves_more(nn.Sequential)
    assert not saves_more(Own)


@pytest.mark.parametrize("kind", [int, dict, nn.Linear, Mlp, type(iter([]))])
def test_classes_of_packages_are_not_the_users(kind: type) -> None:
    assert is_of_package(kind)
    assert not is_of_package(Own)
