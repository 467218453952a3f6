"""Random numbers depend on the seed and the place where they are used, and on nothing else."""

import random
from contextlib import suppress

import numpy as np
import torch

from trainer.seeding import (
    derive,
    forget_half_drawn,
    restore_rng_state,
    rng_state,
    seed_everything,
    seeded_for,
)


def draw() -> tuple[float, float, float]:
    """Draw from each global generator."""
    return torch.rand(()).item(), random.random(), float(np.random.rand())  # noqa: NPY002, S311 - those that augmentations use


def test_derived_seeds_are_the_same_for_ever() -> None:
    """Other numbers here would change every result that was ever published."""
    assert derive(0, "train", 1) == 5616652951175793923
    assert derive(0, "train", 1) != derive(0, "train", 2) != derive(1, "train", 2)


def test_restored_generators_go_on_where_they_were() -> None:
    """PyTorch's, Python's and NumPy's next numbers are the saved ones."""
    seed_everything(3, "test")
    draw()
    state = rng_state()
    expected = draw()
    draw()
    restore_rng_state(state)
    assert draw() == expected


def test_what_is_made_for_a_place_takes_nothing_from_the_training() -> None:
    """The same place gives the same numbers, and the global generators stay as they are."""
    seed_everything(3, "test")
    expected = [draw() for _ in range(3)]
    seed_everything(3, "test")
    made = []
    for number in range(3):
        with seeded_for(derive(5, 0, number % 2)):
            made.append([draw(), draw()])
        assert draw() == expected[number]
    assert made[0] == made[2] != made[1]


def test_half_drawn_pair_of_normal_numbers_is_dropped_alike() -> None:
    """NumPy's legacy functions keep the second one: it is dropped in any process."""
    after = []
    for exchanged in (True, False):
        seed_everything(3, "test")
        np.random.normal()  # noqa: NPY002 - the second number is kept
        if exchanged:
            with seeded_for(1):
                pass
        else:
            forget_half_drawn()
        after.append(float(np.random.normal()))  # noqa: NPY002 - as above
    assert after[0] == after[1]


def test_error_in_a_sample_leaves_the_generators_as_they_were() -> None:
    """Code that catches it goes on as if nothing had been made."""
    seed_everything(3, "test")
    state = rng_state()
    expected = draw()
    restore_rng_state(state)
    with suppress(ValueError), seeded_for(1):
        draw()
        raise ValueError
    assert draw() == expected
