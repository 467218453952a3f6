"""Which of many cases `make test` takes, and which are left to `make soak`: one rule for all tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable

T = TypeVar("T")


def others_in_soak(cases: Iterable[T], often: Collection[T]) -> list[Any]:
    """Return all cases for `parametrize`; those that are not among the frequent ones are soaked."""
    return [case if case in often else _soaked(case) for case in cases]


def alternate_in_soak(cases: Iterable[T], *, first: int = 0) -> list[Any]:
    """Return all cases for `parametrize`; every second one is soaked, beginning beside the first.

    Two tests of the same cases take the halves in turn, so that each case is in one of them.
    """
    made = list(cases)
    return others_in_soak(made, made[first::2])


def covering(cases: Iterable[T], features: Callable[[T], Iterable[Hashable]]) -> list[T]:
    """Return few of the cases, in their order, that have every feature which any of them has.

    The features of a combination are its values, or pairs of them.
    """
    made = list(cases)
    its = [{*features(case)} for case in made]
    wanted = set().union(*its)
    chosen: set[int] = set()
    while wanted:
        best = max(range(len(made)), key=lambda place: len(wanted & its[place]))
        wanted -= its[best]
        chosen.add(best)
    return [made[place] for place in sorted(chosen)]


def combined(**values: Iterable[Any]) -> list[Any]:
    """Return all combinations of some parameters for `parametrize`, in the order of their names.

    `make test` takes those of :func:`covering` in which each value occurs; the others are soaked.
    """
    cases: list[tuple[Any, ...]] = [()]
    for its in values.values():
        cases = [(*case, value) for case in cases for value in list(its)]
    often = covering(cases, lambda case: enumerate(map(repr, case)))
    return [case if case in often else _soaked(*case) for case in cases]


def _soaked(*values: Any) -> Any:
    return pytest.param(*values, marks=pytest.mark.soak)
