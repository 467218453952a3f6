"""Random numbers depend on the seed and the place where they are used, and on nothing else."""

import random
from itertools import chain

import numpy as np
import torch
from user_modules import NoisySamples, labelled

from trainer.seeding import (
    EpochOrder,
    SeededSamples,
    are_plain_tensors,
    derive,
    restore_rng_state,
    rng_state,
    seed_everything,
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


def test_order_is_a_function_of_seed_and_epoch() -> None:
    """Every epoch has every sample once, in an order of its own."""
    order = EpochOrder(range(20), 8, seed=1)
    first = [*order]
    assert [*order] == first
    assert sorted(chain.from_iterable(first)) == [*range(20)]
    assert [len(batch) for batch in first] == [8, 8, 4]
    order.epoch = 1
    assert [*order] != first


def test_order_begins_at_any_batch() -> None:
    """What comes after a resume is what would have come."""
    order = EpochOrder(range(20), 8, seed=1)
    whole = [*order]
    order.first_batch = 2
    assert [*order] == whole[2:]


def test_last_batch_can_be_dropped() -> None:
    """With `drop_last`, every batch is full."""
    order = EpochOrder(range(20), 8, seed=1, drop_last=True)
    assert [len(batch) for batch in order] == [8, 8]
    assert len(order) == 2


def test_sample_depends_on_its_place_and_takes_nothing_from_the_training() -> None:
    """The same place gives the same noise, and the global generators stay as they are."""
    samples = SeededSamples(NoisySamples(labelled(0)), seed=5)
    state = rng_state()
    before = draw()
    restore_rng_state(state)
    first = samples[2, 3][0]
    assert draw() == before
    assert torch.equal(samples[2, 3][0], first)
    assert not torch.equal(samples[3, 3][0], first)


def test_tensors_need_no_seeds_of_their_own() -> None:
    """What cannot be random costs nothing."""
    assert are_plain_tensors(labelled(0))
    assert not are_plain_tensors(NoisySamples(labelled(0)))
