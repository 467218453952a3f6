"""Batches come in the order of their epoch, from any place on, and disturb nobody."""

from typing import Any

import pytest
import torch
from user_modules import NoisySamples, labelled

from trainer.batches import TrainingBatches, make_loader
from trainer.errors import ConfigError
from trainer.settings import Settings, read_settings


def settings(**dataloader: Any) -> Settings:
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
    assert batches.state_dict() == {"epoch": 1, "batch": 2}
    others = TrainingBatches(make_loader(samples, "train", settings()))
    others.load_state_dict(batches.state_dict())
    assert torch.equal(others.take()[0], batches.take()[0])


def test_pass_ends_with_its_last_batch() -> None:
    """44 samples are 6 batches, the last one smaller."""
    batches = TrainingBatches(make_loader(labelled(0), "train", settings()))
    taken = [(len(batches.take()[0]), batches.end_pass()) for _ in range(7)]
    assert taken == [(8, False)] * 5 + [(4, True), (8, False)]


def test_loading_takes_nothing_from_the_global_generators() -> None:
    """Evaluating once more or less never changes training."""
    before = torch.get_rng_state()
    for part in ("train", "validation"):
        assert len([*make_loader(NoisySamples(labelled(0)), part, settings())]) == 6
    assert torch.equal(torch.get_rng_state(), before)


def test_only_training_is_shuffled() -> None:
    """Validation and test keep the order, and the last batch, of their data sets."""
    samples = labelled(0)
    loader = make_loader(samples, "test", settings(drop_last=True))
    assert torch.equal(torch.cat([batch for batch, _ in loader]), samples.tensors[0])


@pytest.mark.parametrize("option", [{"workers": 1}, {"num_workers": -1}, {"sampler": None}])
def test_wrong_option_is_an_error(option: dict[str, Any]) -> None:
    """The message names the group; what the trainer decides cannot be set."""
    with pytest.raises(ConfigError, match=r"^dataloader: "):
        make_loader(labelled(0), "train", settings(**option))
