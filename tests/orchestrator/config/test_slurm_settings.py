"""The settings ``orch.slurm`` are validated, and what orch sets itself is refused."""

from typing import Any

import pytest

from orchestrator.config.slurm_settings import OnInterrupt, SlurmSettings, parse_slurm
from orchestrator.errors import ConfigError


def test_everything_has_a_default() -> None:
    assert parse_slurm({}) == SlurmSettings()
    assert parse_slurm({"pilots": None, "sbatch": None, "time": None}) == SlurmSettings()


def test_settings_are_read() -> None:
    found = parse_slurm(
        {
            "pilots": 16,
            "queued": 4,
            "time": "4h",
            "grace": 60,
            "runs": 1,
            "sbatch": ["--partition=gpu", "-c8"],
            "setup": ["module load cuda"],
            "export": ["HF_HOME"],
            "on_interrupt": "cancel",
        }
    )
    kinds = (("--partition=gpu", "-c8"),)
    setup, export = ("module load cuda",), ("HF_HOME",)
    expected = SlurmSettings(16, 4, 14400, 60, 1, kinds, setup, export, OnInterrupt.CANCEL)
    assert found == expected


def test_several_lists_are_several_kinds_of_allocation() -> None:
    found = parse_slurm({"sbatch": [["--gres=gpu:a100:1"], ["--gres=gpu:h200:1", "-x", "n7"]]})
    assert found.kinds == (("--gres=gpu:a100:1",), ("--gres=gpu:h200:1", "-x", "n7"))


@pytest.mark.parametrize(
    ("option", "advice"),
    [
        ("--time=1:00:00", "Set orch.slurm.time instead"),
        ("-t60", "Set orch.slurm.time instead"),
        ("--array=0-3", "Set orch.slurm.pilots instead"),
        ("--export=ALL", "Set orch.slurm.export instead"),
        ("--signal=USR1@60", "Set orch.slurm.grace instead"),
        ("--job-name=mine", "Remove it"),
        ("-o", "Remove it"),
        ("--nodes=2", "Remove it"),
    ],
)
def test_option_that_orch_sets_itself_is_refused(option: str, advice: str) -> None:
    with pytest.raises(ConfigError, match=rf"^orch\.slurm\.sbatch has {option}\. {advice}"):
        parse_slurm({"sbatch": ["--partition=gpu", option]})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pilots": 0}, "orch.slurm.pilots is 0"),
        ({"queued": "two"}, "orch.slurm.queued is 'two'"),
        ({"time": "4 hours"}, "orch.slurm.time is '4 hours'"),
        ({"time": "2m", "grace": "2m"}, "so nothing could be executed. Set grace to less"),
        ({"runs": -1}, "orch.slurm.runs is -1"),
        ({"sbatch": "--partition=gpu"}, "orch.slurm.sbatch is not a list"),
        ({"sbatch": [["a"], "b"]}, "orch.slurm.sbatch is not a list of strings"),
        ({"sbatch": [1]}, "orch.slurm.sbatch is not a list of strings"),
        ({"setup": "module load cuda"}, "orch.slurm.setup is not a list of strings"),
        ({"setup": ["a\nb"]}, "orch.slurm.setup has a line break"),
        ({"export": ["A=1"]}, "is not the name of an environment variable"),
        ({"export": ["ALL,X"]}, "is not the name of an environment variable"),
        ({"on_interrupt": "stop"}, "Set it to detach or cancel"),
        ({"on_interrupt": ["detach"]}, "Set it to detach or cancel"),
    ],
)
def test_wrong_value_is_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_slurm(settings)
