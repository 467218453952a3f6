"""What code reaches is found by name, without a call of the user's code."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trainer.reached_values import MOST_BYTES, reached_values


class Holder:
    """An object with an attribute."""

    def __init__(self, held: object) -> None:
        self.held = held


class Careful(dict[str, int]):
    """A dictionary that may only be read by those who know how."""

    def items(self) -> Any:
        """Refuse."""
        raise AssertionError

    __iter__ = __len__ = items


class Sequence(list[int]):
    """A list that refuses in the same way."""

    def __iter__(self) -> Any:
        """Refuse."""
        raise AssertionError

    __len__ = __iter__


@pytest.mark.parametrize(
    ("held", "found"),
    [
        (1, {"x.held": 1}),
        ({"a": 1}, {"x.held": 1, "x.held['a']": 1}),
        (Careful(a=1), {"x.held": 1, "x.held['a']": 1}),
        (Sequence([5]), {"x.held": 1, "x.held[0]": 5}),
        ({1, 2}, {"x.held": 2}),
        (itertools.count(3), {"x.held": "count(3)"}),
        (iter([1, 2]), {"x.held": 2}),
        (torch.ones(1, dtype=torch.uint8), {"x.held": b"\1"}),
        (torch.empty(1, device="meta"), {"x.held": None}),
        (torch.zeros(MOST_BYTES + 1, dtype=torch.uint8), {}),
        (Holder(Holder(2.5)), {"x.held.held.held": 2.5}),
        (open, {}),
    ],
)
def test_values_are_found_by_their_paths(held: object, found: dict[str, object]) -> None:
    assert reached_values({"x": Holder(held)}) == found


def test_objects_that_hold_each_other_are_searched_once() -> None:
    first, second = Holder(None), Holder(3)
    first.held, second.held = [second, first, 1], first
    assert reached_values({"x": first}) == {"x.held": 3, "x.held[2]": 1}


def test_tensors_that_a_module_saves_are_not_values_of_another() -> None:
    model = nn.Linear(2, 2, bias=False)
    holder = Holder([model.weight, model.weight.data[0], model, Tensor([1])])
    found = reached_values({"model": model, "x": holder})
    assert {path for path in found if path.startswith("x.")} == {"x.held", "x.held[3]"}


def test_other_objects_save_nothing() -> None:
    """A module that no role has is searched with its weights."""
    assert "teacher.weight" in reached_values({}, {"teacher": nn.Linear(2, 2)})


def test_two_closures_of_one_function_are_told_apart() -> None:
    def make(start: int) -> Any:
        return lambda: start

    found = reached_values({"x": Holder([make(1), make(2)])})
    assert [value for path, value in found.items() if "start" in path] == [1, 2]
