"""The trainer's own keys have defaults and limits."""

from typing import Any

import pytest

from trainer.errors import ConfigError
from trainer.settings import read_settings, read_world_size

LEAST = {"seed": 0, "iterations": 3}


def test_only_seed_and_iterations_are_required() -> None:
    """A user's own configuration may leave the rest out."""
    settings = read_settings(LEAST)
    assert (settings.training_type, settings.batch_size, settings.threads) == ("epoch", 32, 1)
    assert (settings.device, settings.keep_last, settings.metric) == ("auto", 2, None)
    assert (settings.mode, settings.test_with) == (None, "best")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": None}, "^seed: None is not a whole number of at least 0"),
        ({"iterations": 0}, "^iterations: 0 is not a whole number of at least 1"),
        ({"iterations": True}, "^iterations: True is not"),
        ({"batch_size": 1.5}, "^batch_size: 1.5 is not"),
        ({"training_type": "epochs"}, "^training_type: 'epochs' is not one of epoch, step"),
        ({"checkpoint": {"mode": "best"}}, r"^checkpoint\.mode: 'best' is not one of max, min"),
        ({"checkpoint": {"keep_last": 0}}, r"^checkpoint\.keep_last: 0 is not"),
        (
            {"checkpoint": {"keep_lst": 5}},
            r"^checkpoint\.keep_lst: this key is unknown. Use one of",
        ),
        (
            {"dataloader": {"drop_last": "no"}},
            r"^dataloader\.drop_last: 'no' is neither true nor false",
        ),
        ({"checkpoint": 3}, "^checkpoint: expected keys with values"),
        ({"threads": 0}, "^threads: 0 is not"),
        ({"threads": 1000}, "^threads: 1000 is more than this machine can use. Set "),
    ],
)
def test_value_out_of_its_limits_is_an_error(changes: dict[str, Any], message: str) -> None:
    """The message names the key, the value and what it may be."""
    with pytest.raises(ConfigError, match=message):
        read_settings(LEAST | changes)


def test_no_threads_leave_the_number_to_pytorch() -> None:
    """An explicit null is not the default."""
    assert read_settings(LEAST | {"threads": None}).threads is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"accumulate": 0}, "^accumulate: 0 is not a whole number of at least 1"),
        ({"clip_norm": 0}, "^clip_norm: 0 is not a number above 0. Set one, or null"),
        ({"clip_norm": "1"}, "^clip_norm: '1' is not a number"),
        ({"clip_norm": True}, "^clip_norm: True is not a number"),
        ({"clip_norm": float("nan")}, "^clip_norm: nan is not a number"),
        ({"precision": "bf16"}, "^precision: 'bf16' is not one of float32, bfloat16"),
        ({"compile": 1}, "^compile: 1 is neither true nor false"),
        ({"deterministic": "no"}, "^deterministic: 'no' is neither true nor false"),
        ({"device": "gpu"}, "^device: 'gpu' is not a device. Set auto, cpu, cuda, or cuda:0"),
        ({"device": 0}, "^device: 0 is not a device"),
    ],
)
def test_wrong_key_of_the_update_is_an_error(changes: dict[str, Any], message: str) -> None:
    """The message names the key, the value and what it may be."""
    with pytest.raises(ConfigError, match=message):
        read_settings(LEAST | changes)


@pytest.mark.parametrize("ranks", [0, -1, 1.5, "2", True])
def test_number_of_ranks_is_a_count(ranks: object) -> None:
    with pytest.raises(ConfigError, match=r"world_size: .* is not a whole number of at least 1"):
        read_world_size({"world_size": ranks})


def test_several_ranks_save_whole_iterations_only() -> None:
    assert read_world_size({}) == 1
    checkpoint = {"within_iteration": 5}
    assert read_world_size({"checkpoint": checkpoint}) == 1
    with pytest.raises(ConfigError, match=r"checkpoint\.within_iteration: several ranks"):
        read_world_size({"checkpoint": checkpoint, "world_size": 2})
