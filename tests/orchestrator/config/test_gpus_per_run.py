"""How many GPUs a run takes is a count, for any program."""

import pytest

from orchestrator.config.gpus_per_run import parse_gpus_per_run
from orchestrator.errors import ConfigError


def test_default_is_one() -> None:
    """Whatever the program is."""
    assert parse_gpus_per_run({}) == 1
    assert parse_gpus_per_run({"gpus_per_run": None, "command": ["torchrun"]}) == 1


@pytest.mark.parametrize("program", [{"command": ["torchrun"]}, {"entry_point": "train:main"}, {}])
def test_runs_may_take_several(program: dict[str, str]) -> None:
    """A command, a function, or the trainer."""
    assert parse_gpus_per_run({"gpus_per_run": 4, **program}) == 4


@pytest.mark.parametrize("given", [0, -1, 1.5, "two", True])
def test_anything_but_a_count_is_an_error(given: object) -> None:
    """The message names the setting."""
    with pytest.raises(ConfigError, match=r"orch\.gpus_per_run"):
        parse_gpus_per_run({"gpus_per_run": given, "command": ["torchrun"]})
