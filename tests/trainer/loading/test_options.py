"""The keys of ``dataloader``: which the trainer decides, and which go to the loader."""

from typing import Any

import pytest

from trainer.errors import ConfigError
from trainer.loading.options import build_sampler, read_loading
from trainer.settings import TrainingSettings, read_settings


def settings(**dataloader: Any) -> TrainingSettings:
    return read_settings({"seed": 0, "iterations": 1, "batch_size": 4, "dataloader": dataloader})


def test_training_set_is_shuffled_by_default() -> None:
    found = read_loading(settings())
    assert (found.shuffle, found.sampler, found.options) == (True, None, {})
    assert found.evaluation_batch_size == 4


def test_options_of_the_loader_are_passed_on() -> None:
    found = read_loading(settings(pin_memory=False, evaluation_batch_size=9, shuffle=False))
    assert found.options == {"pin_memory": False}
    assert (found.shuffle, found.evaluation_batch_size) == (False, 9)


def test_workers_are_forked() -> None:
    assert read_loading(settings(num_workers=2)).options["multiprocessing_context"] == "fork"
    own = settings(num_workers=2, multiprocessing_context="spawn")
    assert read_loading(own).options["multiprocessing_context"] == "spawn"


SAMPLER = {"_target_": "torch.utils.data.SequentialSampler"}


@pytest.mark.parametrize(
    ("dataloader", "message"),
    [
        ({"dataset": 1}, r"dataloader\.dataset: the trainer sets this option\. The group data"),
        ({"batch_size": 1}, r"dataloader\.batch_size: .* Set batch_size beside dataloader"),
        ({"batch_sampler": 1}, r"dataloader\.batch_sampler: 1 does not name a sampler"),
        ({"batch_sampler": SAMPLER, "shuffle": True}, "shuffle: the batch sampler decides the bat"),
        ({"batch_sampler": SAMPLER, "drop_last": True}, "drop_last: the batch sampler decides the"),
        ({"batch_sampler": SAMPLER, "sampler": SAMPLER}, "sampler: the batch sampler decides the"),
        ({"generator": 1}, r"dataloader\.generator: .* The seed decides the order"),
        ({"in_order": False}, r"dataloader\.in_order: with false"),
        ({"shuffle": "yes"}, r"dataloader\.shuffle: 'yes' is neither true nor false"),
        ({"sampler": "x"}, r"dataloader\.sampler: 'x' does not name a sampler"),
        ({"sampler": SAMPLER, "shuffle": True}, "the sampler decides the order"),
        ({"evaluation_batch_size": 0}, r"evaluation_batch_size: 0 is not a whole number"),
        ({"num_workers": -1}, r"num_workers: -1 is not a whole number"),
        ({"num_workers": "2"}, r"num_workers: '2' is not a whole number"),
        ({"collate_fn": "f"}, r"collate_fn: 'f' is not a function"),
        ({"worker_init_fn": "f"}, r"worker_init_fn: 'f' is not a function"),
        ({"pin_memory": "x"}, r"pin_memory: 'x' is neither true nor false"),
    ],
)
def test_wrong_key_is_one_line_with_the_next_step(dataloader: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read_loading(settings(**dataloader))
    assert "\n" not in str(caught.value)


def test_sampler_gets_the_training_set() -> None:
    assert list(build_sampler(SAMPLER, [7, 8, 9])) == [0, 1, 2]


def test_sampler_that_cannot_be_iterated_over_is_refused() -> None:
    with pytest.raises(ConfigError, match="it returns a Identity, which cannot be iterated over"):
        build_sampler({"_target_": "torch.nn.Identity"}, [1])
