"""How a callback is called follows from its signature."""

# ruff: noqa: ARG001, ARG002, ARG005 - parameters are what is tested

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from trainer.callbacks.signatures import Way, never_runs, way_to_call

NAMES = ("trainer", "iteration", "metrics")


@pytest.mark.parametrize(
    ("callback", "way"),
    [
        (lambda trainer, iteration, metrics: None, Way.BY_POSITION),
        (lambda _trainer, iteration, _: None, Way.BY_POSITION),
        (lambda trainer, iteration, metrics, more=1: None, Way.BY_POSITION),
        (lambda *values: None, Way.BY_POSITION),
        (lambda trainer, **rest: None, Way.BY_NAME),
        (lambda *, trainer, iteration, metrics: None, Way.BY_NAME),
        (lambda trainer, iteration: None, None),
        (lambda trainer, iteration, metrics, more: None, None),
        (lambda iteration, trainer, metrics: None, None),
        (lambda trainer, iteration, values: None, None),
        (3, None),
    ],
)
def test_way_to_call_follows_from_names_and_order(callback: Any, way: Way | None) -> None:
    assert way_to_call(callback, NAMES) is way


def decorated(function: Callable[..., object]) -> Callable[..., object]:
    @functools.wraps(function)
    def call(*values: object, **named: object) -> object:
        return function(*values, **named)

    return call


def test_decorated_function_has_to_fit_as_well() -> None:
    """The decorator takes anything, but hands it on."""
    assert way_to_call(decorated(lambda trainer, iteration, metrics: None), NAMES) is not None
    assert way_to_call(decorated(lambda trainer: None), NAMES) is None


async def coroutine(trainer: object) -> None: ...


def generator(trainer: object) -> Iterator[int]:
    yield 1


async def asynchronous(trainer: object) -> AsyncIterator[int]:
    yield 1


class Called:
    """An object whose call is a generator."""

    def __call__(self, trainer: object) -> Iterator[int]:
        yield 1


@pytest.mark.parametrize("callback", [coroutine, generator, asynchronous, Called()])
def test_what_would_never_be_executed_is_recognized(callback: object) -> None:
    assert never_runs(callback)


def test_plain_functions_are_executed() -> None:
    assert not never_runs(len)
    assert not never_runs(lambda trainer: None)
