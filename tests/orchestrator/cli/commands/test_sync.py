"""``orch sync`` sends what is left, or says why it cannot."""

import json
from collections.abc import Callable

import pytest

from orchestrator.cli.commands import sync
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.errors import UsageError
from orchestrator.extras import Extra
from orchestrator.tracking.reporter_handle import ReporterProcess

from .conftest import GRID, Grid


def test_missing_mlflow_is_one_line(grid: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "MLFLOW", Extra("mlflow", "no_such_package"))
    with pytest.raises(UsageError, match=r"Install it with: pip install 'orch\[mlflow\]'"):
        grid.orch("sync", *GRID)


def test_disabled_tracking_is_one_line(grid: Grid) -> None:
    with pytest.raises(UsageError, match=r"orch\.tracking\.enabled is false"):
        grid.orch("sync", *GRID, "+orch.tracking.enabled=false")


def test_experiment_without_runs_has_nothing_to_send(grid: Grid, output: Callable[[], str]) -> None:
    assert grid.orch("sync", *GRID) == 0
    told = output()
    assert told.startswith("Nothing to send: no runs in ")
    assert told.endswith("/results/grid.\n")


def test_problem_is_named_with_what_waits_and_the_exit_code_says_so(
    grid: Grid, output: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    grid.make(0.1, 0)
    monkeypatch.setattr(ReporterProcess, "finish", lambda *_, **__: "the server does not answer")
    assert grid.orch("sync", *GRID, "--json") == ExitCode.LEFT
    said = json.loads(output())
    assert said["problem"] == "the server does not answer"
    assert said["waiting"]["runs"] == 1
    grid.orch("sync", *GRID)
    assert "1 run waits. To deliver it:\n  orch sync" in output()
