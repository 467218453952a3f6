"""The order of samples is a function of the seed and the epoch, with any sampler."""

from itertools import chain
from typing import Any

import pytest
import torch
from torch.utils.data import RandomSampler, Sampler, SubsetRandomSampler, WeightedRandomSampler

from trainer.errors import ConfigError
from trainer.loading.order import EpochOrder


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


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize(("samples", "ranks"), [(20, 2), (21, 2), (7, 4), (4, 4), (2, 3)])
def test_samples_are_dealt_out_to_ranks(samples: int, ranks: int, *, drop_last: bool) -> None:
    """Equally many to each, so that all take the same number of steps; the first ones twice, if need be."""
    orders = [EpochOrder(range(samples), 2, seed=1, drop_last=drop_last) for _ in range(ranks)]
    for rank, order in enumerate(orders):
        order.shard = (rank, ranks)
    batches = [[*order] for order in orders]
    assert {len(each) for each in batches} == {len(orders[0])}
    dealt = [*chain.from_iterable(chain.from_iterable(batches))]
    if drop_last:
        assert len(dealt) == len({*dealt}) == samples // ranks // 2 * 2 * ranks
    else:
        assert {*dealt} == {*range(samples)}
        assert len(dealt) == -(-samples // ranks) * ranks


def test_ranks_share_the_samples_of_a_sampler() -> None:
    sampler = SubsetRandomSampler([5, 6, 7, 8])
    orders = [EpochOrder(range(20), 1, seed=1, sampler=sampler) for _ in range(2)]
    for rank, order in enumerate(orders):
        order.shard = (rank, 2)
    first, second = ([*chain.from_iterable(order)] for order in orders)
    assert {*first, *second} == {5, 6, 7, 8}
    assert len(first) == len(second) == len(orders[0]) == 2


class Shuffled(Sampler[int]):
    """Shuffle with a generator of its own, as many do."""

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(0)

    def __iter__(self) -> Any:
        """Yield indices that go on where the generator is."""
        yield from torch.randperm(20, generator=self.generator).tolist()


class Rotating(Sampler[int]):
    """Begin elsewhere each time."""

    def __init__(self) -> None:
        self.passes = 0

    def __iter__(self) -> Any:
        """Yield indices that depend on how often it was asked."""
        self.passes += 1
        yield from ((self.passes + place) % 20 for place in range(20))


class Longest(Sampler[int]):
    """Keep similar lengths together, and know the epoch."""

    def set_epoch(self, epoch: int) -> None:
        """Take in the epoch."""
        self.epoch = epoch

    def __iter__(self) -> Any:
        """Yield half of the indices."""
        yield from range(self.epoch % 2, 20, 2)


SAMPLERS = {
    "weighted": WeightedRandomSampler([1.0] * 10 + [9.0] * 10, 30),
    "random": RandomSampler(range(20)),
    "subset": SubsetRandomSampler([3, 1, 4, 15, 9, 2, 6]),
    "own generator": Shuffled(),
    "by epoch": Longest(),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_sampler_gives_the_same_order_for_the_same_epoch(name: str) -> None:
    """Whatever it was asked before, and in whichever state the global generators are."""
    order = EpochOrder(range(20), 8, seed=1, sampler=SAMPLERS[name])
    order.check()
    epochs = []
    for epoch in range(3):
        order.epoch = epoch
        epochs.append([*order])
    assert epochs[0] != epochs[1]
    torch.manual_seed(5)
    again = EpochOrder(range(20), 8, seed=1, sampler=SAMPLERS[name])
    again.epoch, again.first_batch = 2, 1
    assert [*again] == epochs[2][1:]
    assert len(again) == len(epochs[2])


def test_sampler_takes_nothing_from_the_training() -> None:
    """The global generators stay as they are."""
    before = torch.get_rng_state()
    assert [*EpochOrder(range(20), 8, seed=1, sampler=SAMPLERS["weighted"])]
    assert torch.equal(torch.get_rng_state(), before)


def test_restriction_leaves_of_a_sampler_what_it_allows() -> None:
    """Also of samples that it yields more than once."""
    order = EpochOrder(range(20), 8, seed=1, sampler=SAMPLERS["weighted"])
    whole = [*chain.from_iterable(order)]
    order.restrict(torch.arange(20) < 15)
    assert [*chain.from_iterable(order)] == [index for index in whole if index < 15]


@pytest.mark.parametrize(
    ("sampler", "message"),
    [
        (Rotating(), "^dataloader.sampler: Rotating yields other indices each time"),
        ([[0, 1], [2, 3]], r"list yields \[0, 1\], not the index of one of 20 samples"),
        ([3, 20], "list yields 20, not the index"),
        ([-1], "list yields -1, not the index"),
        ([0.5], "list yields 0.5, not the index"),
        ([], "list yields 0 indices, too few for a batch"),
    ],
)
def test_sampler_that_cannot_be_resumed_or_used_is_refused(sampler: Any, message: str) -> None:
    """In one line, before anything is trained."""
    with pytest.raises(ConfigError, match=message):
        EpochOrder(range(20), 8, seed=1, sampler=sampler).check()


@pytest.mark.parametrize("seed", [None, 1])
def test_more_samples_than_memory_for_their_order_are_refused(seed: int | None) -> None:
    """A sampler may choose among them."""
    many = range(2**42)
    with pytest.raises(
        ConfigError, match=r"range has 4398046511104 samples, whose order takes 32768 G"
    ):
        EpochOrder(many, 8, seed).check()
    order = EpochOrder(many, 8, 1, sampler=[2**41, 7])
    order.check()
    assert [*order] == [[2**41, 7]]


def test_order_of_many_samples_is_cut_as_it_is_needed() -> None:
    """The batches are those of the whole; the first does not wait for the last."""
    order = EpochOrder(range(10_000), 3, seed=1)
    order.first_batch = 2
    whole = torch.cat([*order.batches()])
    assert [len(batch) for batch in order.batches()] == [3] * 3331 + [1]
    order.first_batch = 0
    assert torch.equal(torch.cat([*order.batches()])[6:], whole)
    many = EpochOrder(range(30_000_000), 1, None)
    assert next(many.batches()).tolist() == [0]
