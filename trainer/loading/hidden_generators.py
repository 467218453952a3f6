"""Hidden generators: finds the random generators that objects hold, and seeds them temporarily."""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard, cast

import numpy as np
import torch

from trainer.loading.object_graph import PLAIN, reachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Generator: TypeAlias = (
    "random.Random | np.random.Generator | np.random.RandomState | np.random.BitGenerator"
    " | torch.Generator"
)
KINDS = (
    *(random.Random, np.random.Generator, np.random.RandomState, np.random.BitGenerator),
    torch.Generator,
)
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
        if is_own_generator(value) and not _is_of_a_gpu(value):
            found.setdefault(id(value), value)
    return [*found.values()]


def is_own_generator(value: object) -> TypeGuard[Generator]:
    """Return whether an object is a generator, but not a global one, and has a state.

    Those that use the system's randomness do not have one.
    """
    return (
        type(value) not in PLAIN  # of most objects: the other checks take longer
        and isinstance(value, KINDS)
        and not isinstance(value, random.SystemRandom)
        and not any(value is each for each in _globals())
    )


def _globals() -> Iterator[object]:
    yield torch.default_generator
    yield from getattr(torch.cuda, "default_generators", ())
    yield getattr(random, "_inst", None)
    numpys = getattr(np.random.mtrand, "_rand", None)
    yield numpys
    yield getattr(numpys, "_bit_generator", None)


def _is_of_a_gpu(value: object) -> bool:
    return isinstance(value, torch.Generator) and value.device.type != "cpu"


@contextmanager
def lend(generators: Sequence[Generator], seed: int) -> Iterator[None]:
    """Seed generators inside the context, and restore their states afterwards."""
    states = states_of(generators)
    for place, each in enumerate(generators):
        seed_generator(each, seed + place)
    try:
        yield
    finally:
        for each, state in zip(generators, states, strict=True):
            put_back(each, state)


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
        case np.random.BitGenerator():
            return generator.state
        case _:
            return generator.get_state()


def seed_generator(generator: Generator, seed: int) -> None:
    """Seed a generator of any kind."""
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
        case np.random.BitGenerator():
            generator.state = _fresh(generator, seed)
        case _:
            generator.manual_seed(seed)


def _fresh(bit_generator: Any, seed: int) -> dict[str, Any]:  # noqa: ANN401 - NumPy's has no type
    """Return the state of a new bit generator of the same kind."""
    return cast("dict[str, Any]", type(bit_generator)(seed).state)


def put_back(generator: Generator, state: Any) -> None:  # noqa: ANN401 - as above
    """Restore a state that `states_of` returned."""
    match generator:
        case random.Random():
            generator.setstate(state)
        case np.random.Generator():
            generator.bit_generator.state = state
        case np.random.BitGenerator():
            generator.state = state
        case _:
            generator.set_state(state)
