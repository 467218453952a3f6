"""Programs are told where MLflow is by an address that holds in any folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.config.orch_settings import Tracking
from orchestrator.errors import UsageError
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.tracking.store_variables import split_login, variables_for_programs


def found(folder: Path, uri: str | None, name: str = "first") -> dict[str, str]:
    experiment = ExperimentDirectory(folder / "results", name)
    variables = variables_for_programs(experiment, Tracking(uri=uri, share=True))
    assert all(name.startswith("ORCH_SHARED_") for name in variables)
    return {name.removeprefix("ORCH_SHARED_"): value for name, value in variables.items()}


def test_store_in_the_results_folder_is_named(tmp_path: Path) -> None:
    assert found(tmp_path, None) == {
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/results/mlflow.db",
        "MLFLOW_EXPERIMENT_NAME": "first",
    }


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sqlite:///own.db", "sqlite:///{}/own.db"),
        ("./mlruns", "{}/mlruns"),
        ("http://box:5000", "http://box:5000"),
        ("file:///x/y", "file:///x/y"),
        ("databricks", "databricks"),
    ],
)
def test_relative_places_become_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert found(tmp_path, uri)["MLFLOW_TRACKING_URI"] == expected.format(tmp_path)


def test_credentials_get_variables_of_their_own(tmp_path: Path) -> None:
    assert found(tmp_path, "https://me:p%40ss@box/x") == {
        "MLFLOW_TRACKING_URI": "https://box/x",
        "MLFLOW_TRACKING_USERNAME": "me",
        "MLFLOW_TRACKING_PASSWORD": "p@ss",
        "MLFLOW_EXPERIMENT_NAME": "first",
    }
    assert split_login("https://box/x") == ("https://box/x", {})


def test_path_that_mlflow_does_not_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"because of the '%' in its path\. Set orch\.tracking"):
        found(tmp_path / "50%", None)


def test_nothing_is_handed_over_unless_it_is_wanted(tmp_path: Path) -> None:
    experiment = ExperimentDirectory(tmp_path, "first")
    assert variables_for_programs(experiment, Tracking()) == {}
    assert variables_for_programs(experiment, Tracking(enabled=False, share=True)) == {}
