"""The trainer's own keys have defaults and limits."""

from typing import Any

import pytest
from omegaconf import OmegaConf

from trainer.errors import ConfigError
from trainer.settings import deciding_keys, plain_config, read_settings

LEAST = {"seed": 0, "iterations": 3}


def test_only_seed_and_iterations_are_required() -> None:
    """A user's own configuration may leave the rest out."""
    settings = read_settings(LEAST)
    assert (settings.training_type, settings.batch_size, settings.threads) == ("epoch", 32, 1)
    assert (settings.device, settings.keep_last, settings.mode) == ("auto", 2, "max")
    assert (settings.metric, settings.test_with) == ("validation/accuracy", "best")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": None}, "^seed: None is not a whole number of at least 0"),
        ({"iterations": 0}, "^iterations: 0 is not a whole number of at least 1"),
        ({"iterations": True}, "^iterations: True is not"),
        ({"batch_size": 1.5}, "^batch_size: 1.5 is not"),
        ({"training_type": "epochs"}, "^training_type: 'epochs' is none of epoch, step"),
        ({"checkpoint": {"mode": "best"}}, r"^checkpoint\.mode: 'best' is none of max, min"),
        ({"checkpoint": {"keep_last": 0}}, r"^checkpoint\.keep_last: 0 is not"),
        ({"checkpoint": 3}, "^checkpoint: expected keys with values"),
        ({"threads": 0}, "^threads: 0 is not"),
    ],
)
def test_value_out_of_its_limits_is_an_error(changes: dict[str, Any], message: str) -> None:
    """The message names the key, the value and what it may be."""
    with pytest.raises(ConfigError, match=message):
        read_settings(LEAST | changes)


def test_no_threads_leave_the_number_to_pytorch() -> None:
    """An explicit null is not the default."""
    assert read_settings(LEAST | {"threads": None}).threads is None


def test_name_is_a_label_and_decides_nothing() -> None:
    """Neither labels nor the place of the results tell one run's checkpoints from another's."""
    config = LEAST | {"model": {"name": "A", "width": 1}, "results_dir": "x"}
    deciding = deciding_keys(config, read_settings(config))
    assert deciding["model"] == {"width": 1}
    assert "results_dir" not in deciding


def test_interpolations_are_resolved() -> None:
    """Modules see values, and a dead end is an error that names its key."""
    assert plain_config(OmegaConf.create({"a": 1, "b": "${a}"})) == {"a": 1, "b": 1}
    with pytest.raises(ConfigError, match=r"^a: Interpolation key 'c' not found"):
        plain_config(OmegaConf.create({"a": "${c}"}))
    with pytest.raises(ConfigError, match=r"^b: Missing mandatory value"):
        plain_config(OmegaConf.create({"b": "???"}))
