"""What ``orch results`` says of runs equals what pandas says that reads the raw files by itself."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from orchestrator.grid.identity import identify
from orchestrator.planning.results_json import results_as_json
from orchestrator.planning.results_loading import last_common_step, read_results
from orchestrator.planning.results_table import compare
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.records import now
from orchestrator.rundir.state import PAUSED, Record, Status

pandas = pytest.importorskip("pandas")


def _make(folder: Path, chance: random.Random) -> list[RunDirectory]:
    """Make an experiment of runs that are done, failed, interrupted, foreign, or never began."""
    experiment = ExperimentDirectory(folder, "e")
    experiment.prepare()
    runs = []
    for lr in chance.sample([0.1, 0.01, 0.5, 1.0], 3):
        for seed in range(chance.randint(1, 4)):
            config = {"lr": lr, "seed": seed, "width": chance.choice([8, 8, 16])}
            run = experiment.create(identify(config, {"lr": lr, "seed": seed}))
            record = chance.choice([*[Record.DONE] * 4, Record.FAILED, Record.INTERRUPTED, None])
            _fill(run, record, chance)
            runs.append(run)
    return runs


def _fill(run: RunDirectory, record: Record | None, chance: random.Random) -> None:
    if record is None:
        return
    steps = chance.randint(1, 5)
    points = [
        {"key": key, "value": chance.random(), "step": step, "timestamp": step}
        for step in range(1, steps + 1)
        for key in ("train/loss", "validation/loss")
    ]
    if chance.random() < 0.3:  # a step that was computed again after a kill
        points.append({**points[-1], "value": chance.random()})
    run.metrics.write_text("".join(f"{json.dumps(point)}\n" for point in points))
    last = {point["key"]: point["value"] for point in points}
    if chance.random() < 0.7:  # a foreign program may leave the points only
        progress = {"iteration": steps, "iterations": 5, "metrics": last}
        (run.path / "progress.json").write_text(json.dumps(progress))
    if record is Record.DONE and chance.random() < 0.8:
        results: dict[str, Any] = {"test": {"test/accuracy": chance.random()}}
        if chance.random() < 0.7:
            results["best"] = {"iteration": 1, "validation/loss": chance.random()}
        run.results.write_text(json.dumps(results))
    run.write_status(Status(record, 1, now(), "box", 1, ended_at=now()))


def _by_pandas(runs: list[RunDirectory], step: int | None) -> Any:
    """Return one row per run: its config, whether it counts, and its metrics."""
    rows = []
    for run in runs:
        row: dict[str, Any] = {
            key: json.loads(value)
            for key, _, value in (
                line.partition(": ") for line in run.config.read_text().splitlines()
            )
            if key in ("lr", "seed", "width")
        }
        status = run.path / "status.json"
        done = status.exists() and json.loads(status.read_text())["state"] == "done"
        if run.metrics.exists() and (done or step is not None):
            points = pandas.read_json(run.metrics, lines=True)
            if step is not None:
                points = points[points["step"] == step]
            row |= points.groupby("key")["value"].last().to_dict()
        if done and step is None and run.results.exists():
            results = json.loads(run.results.read_text())
            row |= results["test"]
            best = results.get("best", {})
            row |= {f"best/{key}": best[key] for key in best if key != "iteration"}
        rows.append(row)
    return pandas.DataFrame(rows)


@pytest.mark.parametrize("number", range(40))
def test_table_equals_an_independent_reading(tmp_path: Path, number: int) -> None:
    """Means, deviations, counts and groups, at the end and at the last common iteration."""
    _compare_with_pandas(tmp_path, number)


@pytest.mark.soak
@pytest.mark.parametrize("part", range(3))
def test_table_equals_an_independent_reading_of_many_experiments(tmp_path: Path, part: int) -> None:
    """The same for three hundred experiments."""
    for number in range(100):
        _compare_with_pandas(tmp_path / str(number), 1000 + 100 * part + number)


def _compare_with_pandas(folder: Path, number: int) -> None:
    runs = _make(folder, random.Random(number))  # noqa: S311 # not for cryptography
    for step in (None, last_common_step(runs)):
        compared = compare([read_results(run, step=step) for run in runs])
        table = _by_pandas(runs, step)
        metrics = [key for key in table.columns if key not in ("lr", "seed", "width")]
        told: Any = results_as_json(compared)
        keys = told["axes"]
        groups = table.groupby([key for key in ("lr", "width") if table[key].nunique() > 1] or "lr")
        assert sorted(row["runs"] for row in told["rows"]) == sorted(groups.size())
        for row in told["rows"]:
            own = table
            for key in keys:
                own = own[own[key] == row["overrides"][key]]
            assert row["runs"] == len(own)
            assert row["with_results"] == (own[metrics].notna().any(axis=1).sum() if metrics else 0)
            assert set(row["metrics"]) == {key for key in metrics if own[key].notna().any()}
            for key, cell in row["metrics"].items():
                assert cell["mean"] == pytest.approx(own[key].mean())
                std = own[key].std() if own[key].count() > 1 else None
                assert cell["std"] == (None if std is None else pytest.approx(std))
                assert cell["runs"] == own[key].count()


def test_test_result_with_the_name_of_a_metric_ranks_nothing(tmp_path: Path) -> None:
    """The metric has the value that was logged, at the end as at its last iteration."""
    experiment = ExperimentDirectory(tmp_path, "some")
    experiment.prepare()
    runs = [experiment.create(identify({"lr": lr}, {"lr": lr})) for lr in (1, 2)]
    for lr, run in enumerate(runs, 1):
        run.metrics.write_text(json.dumps({"key": "loss", "value": lr, "step": 1}))
        run.results.write_text(json.dumps({"test": {"loss": -lr, "score": lr}}))
        run.write_status(Status(Record.DONE, 1, now(), "box", 1, ended_at=now()))
    for step in (None, 1):
        found = compare([read_results(run, step=step) for run in runs])
        assert found.sorted_by == "loss"
        assert [row.cells["loss"].mean for row in found.rows] == [1, 2]
    (first, _) = compare([read_results(run) for run in runs]).rows
    assert {key: cell.mean for key, cell in first.cells.items()} == {
        "loss": 1,
        "test/loss": -1,
        "score": 1,
    }


def test_run_that_has_paused_is_read_as_one(tmp_path: Path) -> None:
    """Results and pictures call it so, as the status does."""
    experiment = ExperimentDirectory(tmp_path, "e")
    experiment.prepare()
    run = experiment.create(identify({"lr": 1}, {"lr": 1}))
    for reason in (PAUSED, "it was asked to stop"):
        run.write_status(Status(Record.INTERRUPTED, 1, now(), "box", 1, reason=reason))
        assert read_results(run).is_paused is (reason == PAUSED)
    run.config.write_bytes(b"{")
    assert not read_results(run).is_paused
