"""The folder of an experiment is checked before anything is created."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.config.experiment_folder import read_experiment_id, read_results_dir
from orchestrator.errors import ConfigError


@pytest.mark.parametrize("value", ["digits", "a b", "v1.0", 7, "é"])
def test_name_of_a_folder_is_the_name_of_an_experiment(value: Any) -> None:
    assert read_experiment_id(value) == str(value)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        " ",
        ".",
        "..",
        "~",
        "a/b",
        "a\nb",
        "x" * 256,
        "mlflow.db",
        "mlartifacts",
        ["e"],
        {"a": 1},
    ],
)
def test_any_other_name_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match="experiment_id"):
        read_experiment_id(value)


def test_home_folder_is_put_in_place_of_a_tilde() -> None:
    assert read_results_dir("~/results") == Path.home() / "results"
    assert read_results_dir("results") == Path("results")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "has no results_dir"),
        (["results"], "has no results_dir"),
        ({"a": 1}, "has no results_dir"),
        ("s3://bucket/x", "is an address, not a folder"),
        ("~nobody-of-this-name/x", "there is no such user"),
        ("./~/x", "would create a folder named"),
        ("$HOME/x", r"would create a folder named '\$HOME'\. In a config, .*\$\{oc\.env:HOME\}"),
        ("${SCRATCH}", r"would create a folder named '\$SCRATCH'"),
        ("x" * 256, "is too long a name"),
    ],
)
def test_what_cannot_be_a_folder_is_refused(value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_results_dir(value)
