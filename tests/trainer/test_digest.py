"""Equal digests mean equal bits."""

from typing import Any

import pytest
import torch

from trainer.digest import digest_of


def test_equal_states_have_equal_digests() -> None:
    """A digest depends on values alone, not on which objects hold them."""
    first, second = ({"w": torch.ones(2, 2), "lr": [0.1, None]} for _ in range(2))
    assert digest_of(first) == digest_of(second)


@pytest.mark.parametrize(
    "other",
    [
        {"w": torch.ones(4), "lr": 0.1},
        {"w": torch.ones(2, 2, dtype=torch.float64), "lr": 0.1},
        {"w": torch.ones(2, 2) + 1e-7, "lr": 0.1},
        {"w": torch.ones(2, 2), "lr": 0.1000001},
        {"w": torch.ones(2, 2), "lr": [0.1]},
        {"v": torch.ones(2, 2), "lr": 0.1},
    ],
)
def test_any_difference_shows(other: dict[str, Any]) -> None:
    """Shape, kind, value, structure and name all count."""
    assert digest_of(other) != digest_of({"w": torch.ones(2, 2), "lr": 0.1})


def test_sets_and_sparse_tensors_have_digests() -> None:
    """Neither the order of a set, which changes by process, nor how zeros are kept counts."""
    first, second = {"b", "a", "c"}, {"c", "a", "b"}
    assert digest_of(first) == digest_of(frozenset(second))
    assert digest_of(first) != digest_of({"a", "b"})
    assert digest_of(torch.eye(3).to_sparse()) == digest_of(torch.eye(3))
