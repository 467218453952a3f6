"""The parts of an object have names under which a reader finds them."""

from __future__ import annotations

import functools
from collections import ChainMap, UserDict
from contextvars import ContextVar
from functools import cached_property
from queue import Queue
from types import FunctionType, MappingProxyType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils.data import Subset, TensorDataset

from trainer.object_parts import parts_of


class Slotted:
    """A class with slots, and functions of all kinds."""

    __slots__ = ("__hidden", "steps", "unset")

    def __init__(self) -> None:
        self.steps, self.__hidden = 1, 2

    @staticmethod
    def static() -> None:
        """Do nothing."""

    @classmethod
    def of_class(cls) -> None:
        """Do nothing."""

    @property
    def value(self) -> int:
        """Refuse: a property is not asked."""
        raise AssertionError

    @cached_property
    def cached(self) -> int:
        """Refuse in the same way."""
        raise AssertionError


def test_slots_and_functions_of_all_kinds_are_parts() -> None:
    found = dict(parts_of("x", Slotted()))
    assert found["x.steps"] == 1
    assert found["x._Slotted__hidden"] == 2
    assert found["x.unset"] is None
    names = ("static", "of_class", "value", "cached", "__init__")
    assert all(isinstance(found[f"x.{name}"], FunctionType) for name in names)


def double(value: int) -> int:
    """Double."""
    return 2 * value


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (SimpleNamespace(a=1), ["x.a"]),
        (UserDict(a=1), ["x.data"]),
        (ChainMap({}), ["x.maps"]),
        (iter([Slotted()]), ["x"]),
        (iter([1]), []),
        (TensorDataset(torch.zeros(1)), ["x.tensors"]),
        (Subset([Slotted()], [0]), ["x.dataset"]),  # type: ignore[arg-type]  # it is not asked
        (Subset([1, 2], [0]), []),  # type: ignore[arg-type]  # as above
        (torch.optim.SGD([torch.zeros(1)], lr=0.1), []),
    ],
)
def test_objects_of_packages_have_only_parts_that_lead_to_own_code(
    value: object, found: list[str]
) -> None:
    assert [path for path, _ in parts_of("x", value)] == found


def numbers() -> Any:
    """Yield numbers."""
    number, held = 0, [1]
    while held:
        number += 1
        yield number


def test_the_place_of_a_generator_is_a_part() -> None:
    generator = numbers()
    seen = [dict(parts_of("x", generator))["x"] for _ in range(3) if next(generator)]
    assert len({*seen}) == 3
    assert dict(parts_of("x", generator))["x.held"] == [1]


class Epochs:
    """A sampler, say."""

    def __init__(self) -> None:
        self.epoch = self.steps = 0

    def set_epoch(self, epoch: int) -> None:
        """Take the epoch."""
        self.epoch = epoch


def test_what_the_trainer_sets_is_no_part() -> None:
    found = dict(parts_of("x", Epochs()))
    assert "x.epoch" not in found
    assert found["x.steps"] == 0


def test_what_a_context_variable_a_queue_and_a_view_hold_are_parts() -> None:
    variable: ContextVar[int] = ContextVar("variable", default=3)
    queue: Queue[int] = Queue()
    assert dict(parts_of("x", variable)) == {"x": 3}
    assert not [*parts_of("x", ContextVar("without"))]
    assert dict(parts_of("x", queue))["x.queue"] is queue.queue
    assert ("x", {"a": 1}) in [*parts_of("x", MappingProxyType({"a": 1}))]


@pytest.mark.parametrize("limit", [None, 2])
def test_what_a_function_has_cached_is_a_part(limit: int | None) -> None:
    """By its place, which stays the same when it is used."""

    @functools.lru_cache(limit)
    def make(key: str) -> list[str]:
        return [key]

    first, second = make("first"), make("second")
    assert make("first") is first
    found = [*parts_of("x", make)]
    held = [each for _, each in found] + [
        each for _, cache in found if isinstance(cache, dict) for each in cache.values()
    ]
    assert any(each is first for each in held)
    assert any(each is second for each in held)
    if limit:
        assert [path for path, each in found if each is first or each is second] == ["x(1)", "x(0)"]
    make.cache_clear()
    assert not any(isinstance(each, list) for _, each in parts_of("x", make))
