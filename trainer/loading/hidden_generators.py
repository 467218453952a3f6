"""Hidden generators: finds the random generators that objects hold, and seeds them temporarily."""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
import torch

from trainer.loading.object_graph import reachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Generator: TypeAlias = (
    "random.Random | np.random.Generator | np.random.RandomState | torch.Generator"
)
KINDS = (random.Random, np.random.Generator, np.random.RandomState, torch.Generator)
# The limits of the search: objects, and items of each container.
MOST_OBJECTS = 4_000
MOST_ITEMS = 256


def find_generators(*roots: object) -> list[Generator]:
    """Return the generators that objects hold, directly or indirectly, in a deterministic order.

    The search covers attributes, items, closures, and the globals that functions name. The global
    generators of PyTorch, Python and NumPy are excluded.
    """
    found: dict[int, Generator] = {}
    for _, value in reachable(*roots, most_objects=MOST_OBJECTS, most_items=MOST_ITEMS):
        if isinstance(value, KINDS) and not _is_global(value) and _can_be_seeded(value):
            found.setdefault(id(value), value)
    return [*found.values()]


def _is_global(value: object) -> bool:
    theirs = (getattr(random, "_inst", None), getattr(np.random.mtrand, "_rand", None))
    return value is torch.default_generator or any(value is each for each in theirs)


def _can_be_seeded(value: object) -> bool:
    """Return whether a generator has a state, unlike one that uses the system's randomness."""
    if isinstance(value, torch.Generator):
        return value.device.type == "cpu"
    return not isinstance(value, random.SystemRandom)


@contextmanager
def lend(generators: Sequence[Generator], seed: int) -> Iterator[None]:
    """Seed generators inside the context, and restore their states afterwards."""
    states = states_of(generators)
    for place, each in enumerate(generators):
        _seed(each, seed + place)
    try:
        yield
    finally:
        for each, state in zip(generators, states, strict=True):
            _put_back(each, state)


def states_of(generators: Sequence[Generator]) -> list[Any]:
    """Return the states of generators, each in the format of its class."""
    return [_state_of(each) for each in generators]


def _state_of(generator: Generator) -> Any:  # noqa: ANN401 - each kind has its own
    match generator:
        case random.Random():
            return generator.getstate()
        case np.random.RandomState():
            return generator.get_state(legacy=False)
        case np.random.Generator():
            return generator.bit_generator.state
        case _:
            return generator.get_state()


def _seed(generator: Generator, seed: int) -> None:
    match generator:
        case random.Random():
            generator.seed(seed)
        case np.random.RandomState():
            generator.set_state(
                generator.get_state(legacy=False)
                | {"has_gauss": 0, "gauss": 0.0}
                | _fresh(generator._bit_generator, seed)  # noqa: SLF001 - there is no public name
            )
        case np.random.Generator():
            generator.bit_generator.state = _fresh(generator.bit_generator, seed)
        case _:
            generator.manual_seed(seed)


def _fresh(bit_generator: Any, seed: int) -> dict[str, Any]:  # noqa: ANN401 - NumPy's has no type
    """Return the state of a new bit generator of the same kind."""
    return cast("dict[str, Any]", type(bit_generator)(seed).state)


def _put_back(generator: Generator, state: Any) -> None:  # noqa: ANN401 - as above
    match generator:
        case random.Random():
            generator.setstate(state)
        case np.random.Generator():
            generator.bit_generator.state = state
        case _:
            generator.set_state(state)
