"""What code reaches is found by name, without a call of the user's code."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Callable
from decimal import Decimal
from io import BytesIO, StringIO
from random import Random
from typing import Any
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary, ref

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from trainer.reached_values import MOST_BYTES, reached_values


class Holder:
    """An object with an attribute."""

    def __init__(self, held: object) -> None:
        self.held = held


LINES = StringIO("a")
LINES.seek(1)
LARGE = BytesIO(bytes(MOST_BYTES + 1))
KEPT = Holder(2)


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
        (itertools.repeat(0), {"x.held": (0,)}),
        (bytearray(b"a"), {"x.held": b"a"}),
        (array("b", [1]), {"x.held": b"\1"}),
        (Decimal(1), {"x.held": 1}),
        (np.random.SeedSequence(1), {"x.held": 0}),
        (dict, {"x.held": "dict, line None"}),
        (torch.nested.nested_tensor([torch.zeros(1)], layout=torch.jagged), {"x.held": None}),
        (torch.ones(1, dtype=torch.uint8), {"x.held": b"\1"}),
        (torch.empty(1, device="meta"), {"x.held": None}),
        (torch.zeros(MOST_BYTES + 1, dtype=torch.uint8), {}),
        (Holder(Holder(2.5)), {"x.held.held.held": 2.5}),
        (open, {}),
        (LINES, {"x.held": (1, "a")}),
        (LARGE, {"x.held": (MOST_BYTES + 1, None)}),
        ({KEPT: 1}, {"x.held": 1, "x.held[Holder]": 1, "x.held.keys()[Holder].held": 2}),
        ({KEPT}, {"x.held": 1, "x.held[Holder].held": 2}),
        ({(1, 2): 3}, {"x.held": 1, "x.held[(1, 2)]": 3}),
        (ref(KEPT), {"x.held.held": 2}),
        (WeakKeyDictionary({KEPT: 1}), {"x.held[Holder]": 1, "x.held.keys()[Holder].held": 2}),
        (WeakValueDictionary({"a": KEPT}), {"x.held['a'].held": 2}),
        (WeakSet([KEPT]), {"x.held[Holder].held": 2}),
    ],
)
def test_values_are_found_by_their_paths(held: object, found: dict[str, object]) -> None:
    assert reached_values({"x": Holder(held)}) == found


@pytest.mark.parametrize("make", [set, WeakSet, dict.fromkeys])
def test_objects_of_a_class_keep_their_names_when_others_come_and_go(
    make: Callable[[list[Holder]], object],
) -> None:
    items = [Holder(number) for number in range(4)]
    held = Holder(make(items[:3]))
    before = reached_values({"x": held})
    held.held = make(items[1:])
    now = reached_values({"x": held})
    kept = {path for path in before if path in now and "#" in path}
    assert len(kept) == (4 if make == dict.fromkeys else 2)
    assert {path: before[path] for path in kept} == {path: now[path] for path in kept}


def test_looking_at_a_file_in_memory_changes_neither_its_value_nor_its_position() -> None:
    file = BytesIO()
    file.write(b"abc")  # its memory is larger than what it holds
    file.seek(1)
    found = reached_values({"x": Holder(file)})
    assert found == reached_values({"x": Holder(file)}) == {"x.held": (3, b"abc")}
    assert file.tell() == 1


def test_a_file_in_memory_that_is_closed_has_no_value() -> None:
    file = BytesIO(b"a")
    file.close()
    assert reached_values({"x": Holder(file)}) == {"x.held": None}


def test_what_was_added_to_a_tensor_is_a_value() -> None:
    """Also to one that a module saves, for only its numbers are saved; it may hold itself."""
    model = nn.Linear(1, 1)
    weight: Any = model.weight
    tensor: Any = torch.empty(1, device="meta")
    weight.steps, tensor.steps, tensor.itself = 3, 4, tensor
    found = reached_values({"model": model, "x": Holder(tensor)})
    assert found["model.weight.steps"] == 3
    assert found["x.held.steps"] == 4


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


SPARSE: dict[str, Callable[[Tensor], Tensor]] = {
    "coo": Tensor.to_sparse,
    "csr": Tensor.to_sparse_csr,
    "csc": Tensor.to_sparse_csc,
}


@pytest.mark.parametrize("layout", SPARSE)
@pytest.mark.filterwarnings("ignore:Sparse")
def test_a_sparse_tensor_has_a_value(layout: str) -> None:
    values = [
        reached_values({"x": Holder(SPARSE[layout](torch.eye(2) * number))})["x.held"]
        for number in (1, 1, 2)
    ]
    assert values[0] is not None
    assert values[0] == values[1] != values[2]


class Phases:
    """An object that chooses one of its methods."""

    def __init__(self) -> None:
        self.now = self.first

    def first(self) -> None:
        """Do nothing."""

    def second(self) -> None:
        """Do nothing."""


def test_another_function_in_the_same_attribute_is_another_value() -> None:
    phases = Phases()
    before = reached_values({"x": phases})
    phases.now = phases.second
    after = reached_values({"x": phases})
    assert before.keys() == after.keys() == {"x.now"}
    assert before != after


def test_a_generator_whose_state_is_not_saved_is_a_value() -> None:
    generator = Random(0)  # noqa: S311 - it is what is tested
    before = reached_values({"x": Holder(generator)})
    generator.random()
    assert before["x.held"] != reached_values({"x": Holder(generator)})["x.held"]
    assert reached_values({"x": Holder(generator)}, generators=lambda: [generator]) == {}
