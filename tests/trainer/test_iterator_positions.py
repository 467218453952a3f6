"""How far an iterator is can be seen without taking an item."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from trainer.iterator_positions import batches_taken, is_iterator, position_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def loader() -> DataLoader[Any]:
    """Return a loader of three batches."""
    return DataLoader(TensorDataset(torch.arange(6.0)), batch_size=2)


ITERATORS: dict[str, Callable[[], Iterator[Any]]] = {
    "list": lambda: iter([1, 2, 3]),
    "count": itertools.count,
    "cycle": lambda: itertools.cycle([1, 2, 3]),
    "cycle of a loader": lambda: itertools.cycle(loader()),
    "zip": lambda: zip(range(9), itertools.repeat(0), strict=False),
    "enumerate": lambda: enumerate(itertools.count()),
    "map": lambda: map(float, [1, 2, 3]),
    "filter": lambda: filter(None, [1, 2, 3]),
    "islice": lambda: itertools.islice(itertools.count(), 9),
    "chain": lambda: itertools.chain([1], [2, 3]),
    "accumulate": lambda: itertools.accumulate(itertools.repeat(1)),
    "limited": lambda: itertools.repeat(1, 9),
}


@pytest.mark.parametrize("kind", ITERATORS)
def test_the_position_changes_with_each_item(kind: str) -> None:
    iterator = ITERATORS[kind]()
    assert is_iterator(iterator)
    positions = [position_of(iterator)]
    for _ in range(2):
        assert position_of(iterator) == positions[-1]
        next(iterator)
        positions.append(position_of(iterator))
    assert positions[0] != positions[1] != positions[2]


def test_an_iterator_without_an_end_has_a_position() -> None:
    endless = itertools.repeat(1)
    assert position_of(endless) == position_of(endless)


def test_batches_that_were_taken_from_a_loader_are_counted() -> None:
    batches = iter(loader())
    assert batches_taken(batches) == 0
    next(batches)
    assert batches_taken(batches) == 1
    assert batches_taken(loader()) is None


def test_generators_and_other_objects_are_no_such_iterators() -> None:
    assert not any(map(is_iterator, [(each for each in [1]), [1], loader(), 1, map]))
