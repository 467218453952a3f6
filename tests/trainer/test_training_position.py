"""Batches come in the order of their epoch, from any place on, and disturb nobody."""

from typing import Any

import pytest
import torch
from torch.utils.data import TensorDataset
from user_modules import NoisySamples, labelled

from trainer.errors import ConfigError
from trainer.loading.loaders import make_loader
from trainer.settings import TrainingSettings, read_settings
from trainer.training_position import TrainingBatches


def settings(**dataloader: Any) -> TrainingSettings:
    """Make settings with batches of 8."""
    config = {"seed": 1, "iterations": 1, "batch_size": 8, "dataloader": dataloader}
    return read_settings(config)


@pytest.mark.parametrize("samples", [labelled(0), NoisySamples(labelled(0))])
def test_batches_go_on_from_a_saved_place(samples: Any) -> None:
    """A new process takes the batch that the last one would have taken."""
    batches = TrainingBatches(make_loader(samples, "train", settings()))
    for _ in range(8):
        batches.take()
        batches.end_pass()
    place = {"epoch": 1, "batch": 2, "allowed": None, "allowed_next": None}
    assert batches.state_dict() == place
    others = TrainingBatches(make_loader(samples, "train", settings()))
    others.load_state_dict(batches.state_dict())
    assert torch.equal(others.take()[0][0], batches.take()[0][0])


def test_pass_ends_with_its_last_batch() -> None:
    """44 samples are 6 batches, the last one smaller."""
    batches = TrainingBatches(make_loader(labelled(0), "train", settings()))
    taken = [(len(batches.take()[0][0]), batches.end_pass()) for _ in range(7)]
    assert taken == [(8, False)] * 5 + [(4, True), (8, False)]


def test_loading_takes_nothing_from_the_global_generators() -> None:
    """Another evaluation, or none, never changes the training."""
    before = torch.get_rng_state()
    for part in ("train", "validation"):
        assert len([*make_loader(NoisySamples(labelled(0)), part, settings())]) == 6
    assert torch.equal(torch.get_rng_state(), before)


def test_only_training_is_shuffled() -> None:
    """Validation and test keep the order, and the last batch, of their data sets."""
    samples = labelled(0)
    loader = make_loader(samples, "test", settings(drop_last=True))
    assert torch.equal(torch.cat([batch for batch, _ in loader]), samples.tensors[0])


def indices_of(batches: TrainingBatches) -> list[int]:
    """Walk through a pass of numbered samples and return their numbers."""
    taken = [*batches.take()[0][0].flatten().tolist()]
    while not batches.end_pass():
        taken += batches.take()[0][0].flatten().tolist()
    return taken


def numbered(count: int = 20) -> TensorDataset:
    """Make samples that are their own numbers."""
    return TensorDataset(torch.arange(count)[:, None], torch.zeros(count))


@pytest.mark.parametrize("workers", [0, 2])
def test_restricted_pass_keeps_the_order_of_the_whole_one(workers: int) -> None:
    """What is left out is left out, and nothing else changes."""
    loader = make_loader(numbered(), "train", settings(num_workers=workers))
    whole = TrainingBatches(loader)
    orders = [indices_of(whole) for _ in range(3)]
    batches = TrainingBatches(make_loader(numbered(), "train", settings(num_workers=workers)))
    batches.restrict(torch.tensor([7, 3, 3, 11, 0, 19, 5, 6, 8, 9, 1]))
    allowed = {0, 1, 3, 5, 6, 7, 8, 9, 11, 19}
    assert len(batches) == 2
    assert indices_of(batches) == [index for index in orders[0] if index in allowed]
    assert indices_of(batches) == [index for index in orders[1] if index in allowed]
    batches.restrict(None)
    assert indices_of(batches) == orders[2]


def test_pass_that_has_begun_keeps_its_samples() -> None:
    """A restriction in the middle of a pass holds from the next one on, in any process."""
    batches = TrainingBatches(make_loader(numbered(), "train", settings()))
    batches.restrict(torch.arange(10))
    first = batches.take()[0][0].flatten().tolist()
    batches.restrict(torch.arange(12))
    others = TrainingBatches(make_loader(numbered(), "train", settings()))
    others.load_state_dict(batches.state_dict())
    for each in (batches, others):
        assert sorted(first + indices_of(each)) == [*range(10)]
        assert sorted(indices_of(each)) == [*range(12)]


@pytest.mark.parametrize(
    ("indices", "drop_last", "reason"),
    [
        ([], False, "^dataloader: 0 training samples are too few for a batch"),
        ([*range(7), 6], True, "^dataloader: 7 training samples are too few for a batch"),
        ([0, 20], False, "the index 20 is not one of 20 training samples"),
        ([-1, 0], False, "the index -1 is not one of 20 training samples"),
    ],
)
def test_restriction_that_leaves_nothing_to_train_on_is_an_error(
    indices: list[int], *, drop_last: bool, reason: str
) -> None:
    """No pass is empty, and every index is a sample's."""
    batches = TrainingBatches(make_loader(numbered(), "train", settings(drop_last=drop_last)))
    with pytest.raises(ConfigError, match=reason):
        batches.restrict(torch.tensor(indices, dtype=torch.int64))


@pytest.mark.parametrize(
    "allowed", [[3, 4, 5], torch.tensor([5, 4, 3]), torch.arange(44).sub(4).abs() < 2, range(3, 6)]
)
def test_samples_are_named_by_indices_or_booleans(allowed: Any) -> None:
    """In a tensor, a list, or anything like one."""
    batches = TrainingBatches(make_loader(labelled(0), "validation", settings()))
    batches.restrict(allowed)
    assert torch.equal(batches.take()[0][0], labelled(0).tensors[0][3:6])


@pytest.mark.parametrize(
    ("allowed", "message"),
    [
        (
            torch.ones(43, dtype=torch.bool),
            r"bool \[43\] does not select among 44 training samples",
        ),
        (torch.rand(44), r"float32 \[44\] does not select among 44"),
        ([], "^dataloader: 0 training samples are too few for a batch"),
        ([44], "the index 44 is not one of"),
    ],
)
def test_restriction_that_says_nothing_is_refused(allowed: Any, message: str) -> None:
    """Scores, for example, or booleans about another data set."""
    batches = TrainingBatches(make_loader(labelled(0), "train", settings()))
    with pytest.raises(ConfigError, match=message):
        batches.restrict(allowed)
