"""A shell is told the metrics that runs have reported, where one may stand."""

import json
import os
from pathlib import Path

import pytest

from orchestrator.cli.completion import candidates
from orchestrator.cli.metric_candidates import find_metrics


@pytest.fixture(autouse=True)
def training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of three runs: an old one, a finished one, and one that has not begun."""
    training = tmp_path / "results/mine/training"
    for at, run_id in enumerate(("a" * 16, "b" * 16, "c" * 16)):
        (training / run_id).mkdir(parents=True)
        os.utime(training / run_id, (at, at))
    old, finished = training / ("a" * 16), training / ("b" * 16)
    (old / "progress.json").write_text(json.dumps({"metrics": {"old/loss": 1.0}}))
    points = [{"key": key, "step": 1, "value": 1.0} for key in ("val/loss", "val/acc", "epoch")]
    (finished / "metrics.jsonl").write_text("".join(f"{json.dumps(it)}\n" for it in points))
    results = {"best": {"iteration": 1, "val/loss": 1.0}, "test": {"test/acc": 1.0, "name": "x"}}
    (finished / "results.json").write_text(json.dumps(results))
    monkeypatch.chdir(tmp_path)
    return training


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("orch status --sort v", ["val/loss", "val/acc"]),
        ("orch status --sort=val/a", ["--sort=val/acc"]),
        ("orch status results/mine --sort t", ["test/acc"]),
        ("orch status results/none --sort b", []),
        ("orch results --sort b", ["best/val/loss"]),
        ("orch results --columns val/acc,val/", ["val/acc,val/loss"]),
        ("orch plot v", ["val/loss", "val/acc"]),
        ("orch plot test", []),
        ("orch plot --x lr test", ["test/acc"]),
        ("orch plot --sort=test", ["--sort=test/acc"]),
        ("orch plot experiment_id=other v", []),
        ("orch results v", []),
    ],
)
def test_metrics_are_offered_where_one_may_stand(line: str, found: list[str]) -> None:
    """Strings are none, and a curve is what an iteration reports."""
    *words, current = line.split(" ")
    assert candidates(words[1:], current) == found


def test_newest_runs_are_asked_first(training: Path) -> None:
    found = find_metrics([str(training), "none"], with_best=False, only_curves=True)
    assert found == ["val/loss", "val/acc", "epoch", "old/loss"]


def test_metrics_of_all_runs_are_told(training: Path) -> None:
    """Those that failed have no test results."""
    for at in range(10):
        run_dir = training / f"{at:016d}"
        run_dir.mkdir()
        (run_dir / "progress.json").write_text(json.dumps({"metrics": {"val/loss": 1.0}}))
    assert "test/acc" in find_metrics([str(training)], with_best=False, only_curves=False)


def test_what_is_no_run_directory_hides_no_metric(training: Path) -> None:
    (training / "dangling").symlink_to("nowhere")
    (training / "file").touch()
    found = find_metrics([str(training)], with_best=False, only_curves=True)
    assert found == ["val/loss", "val/acc", "epoch", "old/loss"]
