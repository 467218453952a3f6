"""``orch ui`` says what is missing before it starts a server."""

import socket
from collections.abc import Callable

import pytest

from orchestrator.cli.commands import ui
from orchestrator.errors import UsageError
from orchestrator.extras import Extra

from .conftest import GRID, Grid


def test_missing_mlflow_is_one_line(grid: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ui, "MLFLOW", Extra("mlflow", "no_such_package"))
    with pytest.raises(UsageError, match=r"orch ui needs no_such_package"):
        grid.orch("ui", *GRID)


def test_missing_store_is_one_line(grid: Grid) -> None:
    with pytest.raises(UsageError, match=r"nothing was reported\. Start runs with orch run"):
        grid.orch("ui", *GRID)


def test_folder_in_place_of_the_store_is_one_line(grid: Grid) -> None:
    """MLflow's server would start, and never answer."""
    (grid.experiment.results_dir / "mlflow.db").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"mlflow.db: it is not a regular file, so it cannot be"):
        grid.orch("ui", *GRID)


def test_store_that_is_missing_since_tracking_is_disabled_says_so(grid: Grid) -> None:
    with pytest.raises(
        UsageError, match=r"Tracking is disabled: set orch.tracking.enabled=true .* orch sync"
    ):
        grid.orch("ui", *GRID, "+orch.tracking.enabled=false")


def test_page_of_a_server_is_not_served_again(grid: Grid, output: Callable[[], str]) -> None:
    assert grid.orch("ui", *GRID, "+orch.tracking.uri=http://server") == 0
    assert "open its page" in output()


def test_port_that_is_taken_is_one_line(grid: Grid) -> None:
    grid.make(0.1, 0)
    (grid.experiment.results_dir / "mlflow.db").touch()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"port {port} cannot be used: .* --port"):
            grid.orch("ui", *GRID, "--port", str(port))


def test_experiment_without_runs_has_no_page(grid: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's front page is about other things."""
    grid.experiment.results_dir.mkdir()
    (grid.experiment.results_dir / "mlflow.db").touch()
    monkeypatch.setattr(ui, "describe_wrong_file", lambda _: "")
    with pytest.raises(UsageError, match=r"no runs in .*: MLflow's page has none to show\.$"):
        grid.orch("ui", *GRID)
