"""Batch samplers decide the batches as a function of the seed and the epoch, and a kill changes no bits."""

from __future__ import annotations

import random
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest
import torch
from samplers import Balanced, ByLength, Endless
from torch.utils.data import BatchSampler, RandomSampler

from trainer.errors import ConfigError
from trainer.loading.batch_order import BatchOrder

if TYPE_CHECKING:
    from run_files import Interrupt, MakeRun, Train

SAMPLES = range(40)
SAMPLERS = {
    "by length": ByLength(SAMPLES, 4),
    "balanced": Balanced(SAMPLES, 4),
    "PyTorch's": BatchSampler(RandomSampler(SAMPLES), 8, drop_last=True),
}
BY_LENGTH: dict[str, Any] = {"batch_sampler": {"_target_": "samplers.ByLength"}}
BALANCED: dict[str, Any] = {"batch_sampler": {"_target_": "samplers.Balanced"}}
RANDOM = {"_target_": "torch.utils.data.RandomSampler"}
THEIRS: dict[str, Any] = {
    "batch_sampler": {
        "_target_": "torch.utils.data.BatchSampler",
        "sampler": RANDOM,
        "drop_last": False,
    }
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_batches_are_the_same_for_the_same_epoch(name: str) -> None:
    """Whatever was drawn before; from any batch on, and as many as it says."""
    order = BatchOrder(SAMPLES, SAMPLERS[name], seed=1)
    order.check()
    epochs = []
    for epoch in range(3):
        order.epoch = epoch
        epochs.append([*order])
        assert len(order) == len(epochs[-1])
    assert epochs[0] != epochs[1]
    torch.manual_seed(5)
    random.seed(5)
    again = BatchOrder(SAMPLES, SAMPLERS[name], seed=1)
    again.epoch, again.first_batch = 2, 1
    assert [*again] == epochs[2][1:]
    other = BatchOrder(SAMPLES, SAMPLERS[name], seed=2)
    assert [*other] != epochs[0]


def test_batches_are_those_of_the_sampler() -> None:
    """Of any size, also where the sampler fills one list for each."""
    order = BatchOrder(SAMPLES, SAMPLERS["by length"], seed=1)
    assert sorted(chain.from_iterable(order)) == [*SAMPLES]
    assert len({len(batch) for batch in order}) > 1


def test_restriction_leaves_of_each_batch_what_it_allows() -> None:
    order = BatchOrder(SAMPLES, [[0, 1], [30, 31], [2, 32]], seed=1)  # type: ignore[arg-type]  # an iterable
    order.restrict(torch.arange(40) < 10)
    assert [*order] == [[0, 1], [2]]
    assert len(order) == 2


@pytest.mark.parametrize(("batches", "ranks"), [(6, 2), (7, 2), (1, 3), (5, 4)])
def test_batches_are_dealt_out_to_ranks(batches: int, ranks: int) -> None:
    """Equally many to each, so that all take the same number of steps."""
    dealt = []
    for rank in range(ranks):
        order = BatchOrder(SAMPLES, [[place] for place in range(batches)], seed=1)  # type: ignore[arg-type]  # as above
        order.shard = (rank, ranks)
        dealt.append([*chain.from_iterable(order)])
        assert len(order) == len(dealt[0])
    assert {*chain.from_iterable(dealt)} == {*range(batches)}


class Rotating:
    """Begin elsewhere each time."""

    passes = 0

    def __iter__(self) -> Any:
        """Yield batches that depend on how often it was asked."""
        self.passes += 1
        yield [self.passes]


class Remembering(Rotating):
    """Keep state from one epoch to the next, as shuffling in place does."""

    def set_epoch(self, epoch: int) -> None:
        """Remember it."""
        self.passes += epoch - 1


class Unaware(Rotating):
    """Take no epoch."""

    def set_epoch(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("sampler", "message"),
    [
        (Rotating(), "Rotating yields other indices each time"),
        (Remembering(), "Remembering yields other indices each time"),
        (Unaware(), r"Unaware\.set_epoch\(\) takes 1 positional argument .* take the number"),
        ([[True, False]], "list yields True in a batch"),
        ([3, 4], "list yields 3, not a list of indices"),
        ([[0, 40]], "list yields 40 in a batch, not the index of one of 40"),
        ([["a"]], "list yields 'a' in a batch"),
        ([[0], []], "list yields a batch without samples"),
        ([], "list yields no batches"),
        (BatchSampler([0.5], 2, drop_last=False), r"yields 0\.5 in a batch"),
        (BatchSampler(3, 2, drop_last=False), "BatchSampler yields no indices: 'int' object"),  # type: ignore[arg-type]  # wrong on purpose
    ],
)
def test_sampler_that_cannot_be_resumed_or_used_is_refused(sampler: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"^dataloader\.batch_sampler: .*{message}"):
        BatchOrder(SAMPLES, sampler, seed=1).check()


def test_sampler_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.loading.order.MOST", 10)
    with pytest.raises(ConfigError, match=r"Endless yields more than 4010 times without an end"):
        BatchOrder(SAMPLES, Endless([1]), seed=1).check()


@pytest.mark.parametrize("event", ["iteration_begin", "step_end"])
@pytest.mark.parametrize("training_type", ["epoch", "step"])
@pytest.mark.parametrize(
    "loading",
    [
        BY_LENGTH,
        BALANCED,
        BALANCED | {"num_workers": 2},
        BY_LENGTH | {"num_workers": 1, "persistent_workers": True},
        THEIRS,
    ],
)
def test_interrupted_run_ends_with_the_same_bits(
    interrupt: Interrupt, loading: dict[str, Any], training_type: str, event: str
) -> None:
    """With as many batches per pass as the sampler yields in that epoch."""
    interrupt(event, 3, dataloader=loading, training_type=training_type)


def test_interrupted_iteration_goes_on_between_its_steps(interrupt: Interrupt) -> None:
    checkpoint = {"within_iteration": 1}
    interrupt("late_step_end", 3, dataloader=BALANCED, checkpoint=checkpoint)


@pytest.mark.parametrize("key", ["sampler", "batch_sampler"])
def test_pass_has_as_many_batches_as_the_sampler_yields_in_it(
    make_run: MakeRun, train: Train, key: str
) -> None:
    """Each iteration is one pass, however many batches it has."""
    of = {"sampler": "samplers.Growing", "batch_sampler": "samplers.Balanced"}[key]
    counting = {"_target_": "samplers.Passes"}
    run_dir = make_run(curriculum=counting, dataloader={key: {"_target_": of}}, batch_size=8)
    train(run_dir)
    seen = (run_dir / "passes").read_text()
    assert seen == "".join(
        f"{iteration}: {2 + (iteration - 1) % 3} 1\n" for iteration in range(1, 5)
    )
