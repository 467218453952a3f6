"""Everything that an object holds is found, each with the path that leads to it."""

import functools
import math
from collections import deque
from typing import Any

import numpy as np
import pytest
import torch

from trainer.loading.object_graph import is_leaf, reachable
from trainer.read_only import ReadOnly


class Wanted:
    """What is looked for."""


WANTED = Wanted()


class Slotted:
    """An object without a dictionary."""

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held = WANTED


class Holder:
    """An object that holds what a test puts in it."""

    of_the_class = None

    def __init__(self, held: object) -> None:
        self.held = held

    def method(self) -> object:
        return self.held


def closure() -> Any:
    held = WANTED
    return lambda: held


def of_a_global() -> object:
    return WANTED


def found(*roots: object, most: int = 1000) -> list[str]:
    """Return the paths at which it is found."""
    steps = reachable(*roots, most_objects=most, most_items=100)
    return [path for path, value in steps if value is WANTED]


@pytest.mark.parametrize(
    ("root", "path"),
    [
        (WANTED, ""),
        ([0, WANTED], "[1]"),
        ({"a": (WANTED,)}, "['a'][0]"),
        (deque([WANTED]), "[0]"),
        (np.array([None, WANTED], dtype=object), "[1]"),
        (Holder({"a": WANTED}), ".held['a']"),
        (Slotted(), ".held"),
        (functools.partial(print, WANTED), "[0]"),
        (closure(), ""),
        (of_a_global, " WANTED"),
        (Holder(WANTED).method, ".held"),
        (lambda default=WANTED: default, ""),
    ],
)
def test_held_object_is_found_with_its_path(root: object, path: str) -> None:
    assert path in found(root)


def test_circles_end() -> None:
    one = Holder(None)
    one.held = [one, WANTED]
    assert found(one) == [".held[1]"]


def test_object_that_is_held_twice_is_found_twice() -> None:
    assert len(found([WANTED, WANTED])) == 2


def test_nearest_objects_come_first_up_to_the_limit() -> None:
    deep: Any = WANTED
    for _ in range(50):
        deep = (deep,)
    assert found(deep, most=50) == []
    assert found(deep, most=1000)


@pytest.mark.parametrize("library", [torch.nn.functional.relu, math, functools.lru_cache])
def test_libraries_are_not_searched(library: object) -> None:
    assert len([*reachable(library, most_objects=1000, most_items=100)]) < 10


@pytest.mark.parametrize("value", [1, "text", None, b"", 1.5, torch.ones(2), np.ones(2), math])
def test_plain_values_are_leaves(value: object) -> None:
    assert is_leaf(value)


def test_array_of_objects_is_no_leaf() -> None:
    assert not is_leaf(np.array([None], dtype=object))


@pytest.mark.parametrize("most", [1, 2, 7, 30, 100])
def test_limited_search_begins_as_one_without_a_limit(most: int) -> None:
    """What it would not come to is not put in the queue."""
    root = [Holder([WANTED, (1, {"a": "b"})]), lambda: WANTED, Holder, [[2], [3, [4]]]]
    whole = [*reachable(root, most_objects=1000, most_items=100)]
    some = [*reachable(root, most_objects=most, most_items=100)]
    assert [path for path, _ in some] == [path for path, _ in whole[:most]]
    assert all(one is other for (_, one), (_, other) in zip(some, whole, strict=False))


def test_of_the_trainer_only_what_others_have_added_is_searched() -> None:
    """A callback may keep it, and would otherwise be searched with all that the trainer has."""
    trainer: Any = ReadOnly()
    object.__setattr__(trainer, "own", WANTED)
    trainer.added = WANTED
    assert found(Holder(trainer)) == [".held.added"]
