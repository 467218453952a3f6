"""Equal digests mean equal bits."""

from typing import Any

import pytest
import torch

from trainer.state_digest import digest_of


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


GOLDEN = "c071053e9982b432"


NAMES = [
    *("conjugate", "negative", "expanded", "transposed", "csr", "csc", "bsr", "bsc", "coo", "leaf"),
    *("float8", "bool", "uint16", "scalar", "empty"),
]


def odd_tensors() -> dict[str, torch.Tensor]:
    """Make tensors whose values do not just lie side by side in memory."""
    complex_ones = torch.tensor([1 + 2j, 3 - 1j])
    return {
        "conjugate": complex_ones.conj(),
        "negative": complex_ones.conj().imag,
        "expanded": torch.ones(2, 1).expand(2, 5),
        "transposed": torch.arange(6.0).reshape(2, 3).t(),
        "csr": torch.eye(4).to_sparse_csr(),
        "csc": torch.eye(4).to_sparse_csc(),
        "bsr": torch.eye(4).to_sparse_bsr((2, 2)),
        "bsc": torch.eye(4).to_sparse_bsc((2, 2)),
        "coo": torch.eye(4).to_sparse(),
        "leaf": torch.ones(2, requires_grad=True),
        "float8": torch.ones(3).to(torch.float8_e4m3fn),
        "bool": torch.tensor([True, False]),
        "uint16": torch.ones(3).to(torch.uint16),
        "scalar": torch.tensor(1.5),
        "one of a stride": torch.arange(1.0, 11.0)[::10],
        "empty": torch.zeros(0, 3),
    }


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("name", NAMES)
def test_every_tensor_that_is_saved_has_a_digest(name: str) -> None:
    """The same for the same values, and another one for others."""
    tensor = odd_tensors()[name]
    assert digest_of(tensor) == digest_of(odd_tensors()[name]) == digest_of(tensor.clone())
    if tensor.numel():
        assert digest_of(tensor) != digest_of(torch.zeros_like(tensor))


def test_how_values_are_marked_does_not_count() -> None:
    """A conjugate that is computed has the digest of one that is only marked so."""
    marked = torch.tensor([1 + 2j]).conj()
    assert digest_of(marked) == digest_of(marked.resolve_conj())
    assert digest_of(marked) != digest_of(torch.tensor([1 + 2j]))


def test_digests_stay_what_they_were() -> None:
    """Results of years are compared by them."""
    state = {"w": torch.arange(4.0).reshape(2, 2), "n": [1, None, "text"], "s": {2, 1}}
    assert digest_of(state)[:16] == GOLDEN
