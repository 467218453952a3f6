"""Generators that objects hold are found, seeded for a while, and left as they were."""

# ruff: noqa: S311 - nothing is encrypted

import random
from typing import Any

import numpy as np
import pytest
import torch

from trainer.loading.hidden_generators import find_generators, lend, states_of


def make_all() -> list[Any]:
    """Return a generator of each kind, and of several bit generators of NumPy's."""
    numpy = [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64]
    return [
        random.Random(1),
        np.random.RandomState(1),
        *(np.random.Generator(kind(1)) for kind in numpy),
        torch.Generator().manual_seed(1),
    ]


def draw(generator: Any) -> list[float]:
    """Return numbers of a generator; of a normal distribution, half of a pair may be kept back."""
    if isinstance(generator, torch.Generator):
        return [float(value) for value in torch.randn(3, generator=generator)]
    if isinstance(generator, random.Random):
        return [generator.gauss(0, 1) for _ in range(3)]
    return [float(generator.normal()) for _ in range(3)]


class Augmentation:
    """An object of the user's that hides a generator."""

    def __init__(self, generator: object) -> None:
        self.options = {"rng": [generator]}


@pytest.mark.parametrize("generator", make_all(), ids=lambda each: type(each).__name__)
def test_hidden_generator_is_found_once(generator: object) -> None:
    assert find_generators(Augmentation(generator), generator) == [generator]


def test_global_generators_are_not_hidden() -> None:
    """They are seeded for every sample anyway."""
    held = [random.random, np.random.mtrand._rand, torch.default_generator]
    assert find_generators(Augmentation(held)) == []


def test_generator_without_a_state_is_left_alone() -> None:
    assert find_generators(random.SystemRandom()) == []


@pytest.mark.parametrize("at", range(len(make_all())))
def test_lent_generator_follows_the_seed_and_goes_on_as_before(at: int) -> None:
    """Whatever it had drawn before."""
    one, other = make_all()[at], make_all()[at]
    draw(one)  # an odd count: one of a pair is kept back
    expected = draw(make_copy(one, at))
    drawn = []
    for generator in (one, other):
        with lend([generator], 7):
            drawn.append(draw(generator))
    assert drawn[0] == drawn[1]
    assert draw(one) == expected


def make_copy(generator: Any, at: int) -> Any:
    """Return a generator with the same state."""
    copy = make_all()[at]
    (state,) = states_of([generator])
    if isinstance(copy, random.Random):
        copy.setstate(state)
    elif isinstance(copy, np.random.Generator):
        copy.bit_generator.state = state
    else:
        copy.set_state(state)
    return copy


def test_lent_generators_differ_from_each_other() -> None:
    one, other = random.Random(1), random.Random(1)
    with lend([one, other], 7):
        assert draw(one) != draw(other)
