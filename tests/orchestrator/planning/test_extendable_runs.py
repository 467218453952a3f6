"""Tests of orchestrator.planning.extendable_runs: what a plan says of runs that others may extend."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest

from orchestrator.planning.load import ConfigSource, load_plan
from orchestrator.planning.plan_json import plan_as_json

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
results_dir: {results}
experiment_id: small
iterations: 5
seed: 0
schedule: {{length: 7}}
"""
PENDING = "it has not run yet"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a config folder of runs of the trainer."""
    (tmp_path / "config.yaml").write_text(CONFIG.format(results=tmp_path / "results"))
    (tmp_path / "results/small/training").mkdir(parents=True)
    return tmp_path


def plan(folder: Path, *overrides: str) -> Any:
    """Return a plan of the runs with these overrides."""
    return load_plan(ConfigSource(folder, "config", overrides))


def ran(folder: Path, iteration: int, *overrides: str, total_read: bool | None = False) -> str:
    """Leave what a run has left that has saved an iteration, and return its ID."""
    planned = plan(folder, *overrides)
    directory = planned.experiment.create(planned.plan.decisions[0].run)
    progress = {
        "iteration": iteration,
        "iterations": directory.read_config()["iterations"],
        "metrics": {},
        "total_read": total_read,
    }
    (directory.path / "progress.json").write_text(json.dumps(progress))
    (directory.path / "checkpoints").mkdir()
    with ZipFile(directory.path / f"checkpoints/{iteration:06d}-0011aabb.pt", "w") as archive:
        archive.writestr("archive/data.pkl", b"state")
    return directory.path.name


def reasons(folder: Path, *overrides: str) -> list[str]:
    """Return the reasons of a plan."""
    return [decision.reason for decision in plan(folder, *overrides).plan.decisions]


def test_run_extends_the_one_with_the_most_iterations(folder: Path) -> None:
    """Of those with the same config otherwise; one that has more iterations gives those it has saved."""
    ran(folder, 3, "iterations=3")
    best = ran(folder, 4, "iterations=9")
    ran(folder, 8, "iterations=8")  # nothing up to 5 is saved
    other = ran(folder, 2, "iterations=2", "seed=1")
    assert reasons(folder, "iterations=5", "seed=0,1,2") == [
        f"extends {best[:8]} from iteration 4",
        f"extends {other[:8]} from iteration 2",
        PENDING,
    ]


def test_axis_of_lengths_is_extended_within_one_grid(folder: Path) -> None:
    """The runs name each other before any has begun."""
    planned = plan(folder, "iterations=2,4,6")
    runs = [decision.run for decision in planned.plan.decisions]
    assert reasons(folder, "iterations=2,4,6") == [PENDING] * 3
    identity = json.loads(planned.experiment.create(runs[1]).identity.read_text())
    assert identity["extends"] == [runs[0].run_id, runs[2].run_id]


def test_json_names_the_run_and_the_iteration(folder: Path) -> None:
    run_id = ran(folder, 3, "iterations=3")
    (row,) = plan_as_json(plan(folder).plan)["runs"]  # type: ignore[misc, attr-defined]  # a list
    assert row["extends"] == {"run_id": run_id, "iteration": 3}
    assert row["state"] == "pending"


@pytest.mark.parametrize("kind", ["key", "read", "code"])
def test_plan_says_why_a_run_is_not_extended(folder: Path, tmp_path: Path, kind: str) -> None:
    changes = ["schedule.length=${iterations}"] if kind == "key" else []
    run_id = ran(folder, 3, "iterations=3", *changes, total_read=kind == "read")
    if kind == "code":
        attempt = {"attempt": 1, "directory": str(tmp_path), "files": {"gone.py": "0" * 16}}
        path = tmp_path / "results/small/training" / run_id / "code.json"
        path.write_text(json.dumps({"schema": 1, "attempts": [attempt]}))
    why = {
        "key": ", because schedule.length depends on iterations",
        "read": ", whose callbacks read iterations",
        "code": ", because gone.py has changed since",
    }
    assert reasons(folder, *changes) == [f"does not extend {run_id[:8]}{why[kind]}"]
    (row,) = plan_as_json(plan(folder, *changes).plan)["runs"]  # type: ignore[misc, attr-defined]  # a list
    assert row["extends"] is None


def test_run_of_an_earlier_version_is_not_extended(folder: Path) -> None:
    """It did not watch whether callbacks read the number."""
    ran(folder, 3, "iterations=3", total_read=None)
    assert reasons(folder) == [PENDING]


@pytest.mark.parametrize("setting", ["+orch.extend=false", "+orch.command=[true]"])
def test_extending_can_be_disabled(folder: Path, setting: str) -> None:
    """And other programs than the trainer know nothing of it."""
    ran(folder, 3, "iterations=3")
    assert reasons(folder, setting) == [PENDING]
    planned = plan(folder, setting)
    made = planned.experiment.create(planned.plan.decisions[0].run)
    assert "extends" not in json.loads(made.identity.read_text())


def test_run_that_has_a_directory_goes_its_own_way(folder: Path) -> None:
    ran(folder, 3, "iterations=3")
    planned = plan(folder)
    planned.experiment.create(planned.plan.decisions[0].run)
    assert reasons(folder) == [PENDING]


def test_only_the_key_that_depends_is_named(folder: Path) -> None:
    """A key that has changed besides makes it another run altogether."""
    ran(folder, 3, "iterations=3", "schedule.length=${iterations}", "seed=1")
    assert reasons(folder, "schedule.length=${iterations}", "seed=0") == [PENDING]
