"""``orch plan`` shows what ``orch run`` would do, and writes nothing."""

import json
from collections.abc import Callable

import pytest

from orchestrator.errors import ConfigError
from orchestrator.rundir.state import Record

from .conftest import GRID, Grid


def test_plan_counts_runs_and_writes_nothing(grid: Grid, output: Callable[[], str]) -> None:
    assert grid.orch("plan", *GRID) == 0
    said = output()
    assert "4" in said
    assert not grid.experiment.results_dir.exists()


def test_runs_of_a_state_are_listed(grid: Grid, output: Callable[[], str]) -> None:
    grid.make(0.1, 0)
    failed = grid.make(0.2, 1, record=Record.FAILED)
    grid.orch("plan", *GRID, "--state", "failed")
    said = output()
    assert failed.run_id[:8] in said
    assert "it was not to be" in said
    assert "it has finished" not in said


def test_json_has_each_run_with_its_action_and_reason(
    grid: Grid, output: Callable[[], str]
) -> None:
    grid.make(0.1, 0)
    grid.orch("plan", *GRID, "--json")
    plan = json.loads(output())
    assert sorted(run["action"] for run in plan["runs"]) == ["run", "run", "run", "skip"]
    assert all(run["reason"] for run in plan["runs"])
    assert {"changes", "numbers"} <= plan.keys()


def test_points_that_filters_exclude_are_listed_on_request(
    grid: Grid, output: Callable[[], str]
) -> None:
    grid.orch("plan", *GRID, "+_filters=['lr == 0.1 ! seed == 1']", "--excluded")
    assert "lr == 0.1 ! seed == 1" in output()


def test_forecast_is_told_with_the_plan(grid: Grid, output: Callable[[], str]) -> None:
    """For the workers asked for; where nothing is known, one line says so."""
    grid.orch("plan", *GRID)
    assert "forecast: unknown, because no finished run like these was found" in output()
    run = grid.make(0.1, 0)
    status = json.loads((run.path / "status.json").read_text())
    times = {"started_at": "2026-11-29T10:00:00+00:00", "ended_at": "2026-11-29T10:10:00+00:00"}
    (run.path / "status.json").write_text(json.dumps(status | times))
    grid.orch("plan", "lr=0.1", "seed=range(5)", "--workers", "2")
    assert "forecast: 20 min (" in output()
    grid.orch("plan", "lr=0.1", "seed=range(5)", "--workers=3", "--gpus=none", "--json")
    told = json.loads(output())["forecast"]
    assert (told["workers"], told["gpus"], told["runs"], told["known"]) == (3, 0, 4, 4)
    assert told["seconds"]["expected"] == 1200
    assert told["slot_seconds"]["expected"] == 2400
    grid.orch("plan", "lr=0.1", "seed=0", "--json")
    assert json.loads(output())["forecast"] is None
    with pytest.raises(ConfigError, match="--workers is -1"):
        grid.orch("plan", "--workers=-1")
