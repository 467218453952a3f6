"""Batches of one shape differ in nothing but the numbers in their tensors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from structures import Graph, Pair

from trainer.batch_shape import copied, shape_of
from trainer.state_digest import tensors_in

CPU = torch.device("cpu")
X, Y = torch.arange(12.0).reshape(4, 3), torch.arange(4)


@pytest.mark.parametrize(
    "batch",
    [
        (X, Y),
        [X, Y],
        {"x": X, "labels": [Y, {"n": 3}]},
        Pair(X, Y),
        [X, None, "a", 1.5, float("nan"), True],
    ],
)
def test_copy_has_the_same_shape_and_its_own_memory(batch: Any) -> None:
    """Of the same types; and all of its tensors are found, in one order."""
    made = copied(batch)
    assert type(made) is type(batch)
    assert shape_of(made, CPU) == shape_of(batch, CPU) is not None
    assert hash(shape_of(made, CPU)) == hash(shape_of(batch, CPU))
    pairs = [*zip(tensors_in(made), tensors_in(batch), strict=True)]
    assert len(pairs) == sum(each is X or each is Y for each in tensors_in(batch))
    for one, other in pairs:
        assert torch.equal(one, other)
        assert one.data_ptr() != other.data_ptr()


@pytest.mark.parametrize(
    "other",
    [
        (X[:3], Y),
        (X.double(), Y),
        (X.T.contiguous().T, Y),
        [X, Y],
        (X, Y, None),
        (X, 4),
        {"x": X, "y": Y},
        Pair(X, Y),
    ],
)
def test_another_structure_is_another_shape(other: Any) -> None:
    """Sizes, types, strides, containers, keys and plain values count."""
    assert shape_of(other, CPU) not in (None, shape_of((X, Y), CPU))


@pytest.mark.parametrize("plain", [(1, 2), (1, True), (1, 1.0), ("1", 1), (0.0, -0.0), ("a", "b")])
def test_plain_values_count(plain: tuple[Any, Any]) -> None:
    """They would be constants of a graph."""
    assert shape_of([X, plain[0]], CPU) != shape_of([X, plain[1]], CPU)


@pytest.mark.parametrize(
    "batch",
    [
        [X, Graph(X, Y)],
        {"x": X.to_sparse()},
        (X, object()),
        X.clone().requires_grad_(),
        torch.nn.utils.rnn.pack_sequence([X]),
        (X, torch.ones(4, device="meta")),
    ],
)
def test_what_is_not_known_has_no_shape(batch: Any) -> None:
    """Objects may hold anything, and Python reads tensors that are not on the GPU."""
    assert shape_of(batch, CPU) is None
