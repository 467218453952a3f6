"""Tests of orch.run: what a program tells of its run stands in the run directory, each point once."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.run import Run, current_run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    _begin(tmp_path, 1, monkeypatch)
    return tmp_path


def _begin(
    run_dir: Path, attempt: int, monkeypatch: pytest.MonkeyPatch, started: str = "2999-01-01"
) -> Run:
    """Return the run as a new attempt sees it, which begins after all that was logged so far."""
    for name, value in {"RUN_DIR": run_dir, "RUN_ID": "ab12", "ATTEMPT": attempt}.items():
        monkeypatch.setenv(f"ORCH_{name}", str(value))
    status = {"started_at": f"{started}T00:00:00.000+00:00"}
    (run_dir / "status.json").write_text(json.dumps(status))
    current_run.cache_clear()
    return current_run()


def _points(run_dir: Path) -> dict[tuple[str, int], Any]:
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    points = [json.loads(line) for line in lines]
    found = {(point["key"], point["step"]): point["value"] for point in points}
    assert len(found) == len(points), "a point stands there twice"
    return found


def test_run_knows_who_it_is(run_dir: Path) -> None:
    run = current_run()
    assert (run.dir, run.id, run.attempt) == (run_dir, "ab12", 1)
    assert current_run() is run


def test_nothing_is_written_outside_orch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORCH_RUN_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    current_run.cache_clear()
    run = current_run()
    run.log({"loss": 1.0}, step=0)
    run.progress(1, 2)
    run.finish({"accuracy": 0.5})
    assert (run.dir, run.id, run.checkpoint(), run.stop_requested) == (None, "", None, False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("rank", "writes"), [("0", True), ("", True), ("1", False)])
def test_only_the_first_process_of_a_distributed_training_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: str, *, writes: bool
) -> None:
    monkeypatch.setenv("RANK", rank)
    run = _begin(tmp_path, 1, monkeypatch)
    run.log({"loss": 1.0}, step=0)
    run.progress(1, 2)
    assert (tmp_path / "metrics.jsonl").exists() is writes
    assert (tmp_path / "progress.json").exists() is writes


def test_points_progress_and_results_have_the_documented_form(run_dir: Path) -> None:
    run = current_run()
    run.log({"loss": 0.5, "lr": math.inf}, step=3)
    run.progress(3, 10)
    run.finish({"test/accuracy": 1, "test/loss": math.nan})
    assert _points(run_dir) == {("loss", 3): 0.5, ("lr", 3): "Infinity"}
    progress = json.loads((run_dir / "progress.json").read_text())
    assert progress["iteration"], progress["iterations"] == (3, 10)
    assert progress["metrics"] == {"loss": 0.5, "lr": "Infinity"}
    results = json.loads((run_dir / "results.json").read_text())
    assert results == {"schema": 1, "test": {"test/accuracy": 1.0, "test/loss": "NaN"}}
    assert not list(run_dir.glob("*.tmp"))


def test_value_logged_again_replaces_the_one_before(run_dir: Path) -> None:
    run = current_run()
    for step, value in ((0, 1.0), (5, 2.0), (3, 3.0), (5, 4.0), (3, 5.0), (4, 6.0)):
        run.log({"loss": value}, step=step)
    run.log({"other": 7.0}, step=0)
    assert _points(run_dir) == {
        ("loss", 0): 1.0,
        ("loss", 3): 5.0,
        ("loss", 4): 6.0,
        ("loss", 5): 4.0,
        ("other", 0): 7.0,
    }


def test_later_attempt_takes_back_what_it_computes_again_and_all_behind_it(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in range(5):
        current_run().log({"train": step, "batch": step * 100}, step=step)
    resumed = _begin(run_dir, 2, monkeypatch)
    resumed.log({"train": 30.0}, step=3)
    found = _points(run_dir)
    assert {step: value for (key, step), value in found.items() if key == "train"} == {
        0: 0.0,
        1: 1.0,
        2: 2.0,
        3: 30.0,
    }
    assert ("batch", 4) in found


def test_second_process_of_an_attempt_takes_nothing_back_but_the_same_step(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in range(5):
        current_run().log({"loss": float(step)}, step=step)
    evaluating = _begin(run_dir, 2, monkeypatch, started="2000-01-01")
    evaluating.log({"loss": 30.0}, step=3)
    assert _points(run_dir) == {
        ("loss", step): v for step, v in enumerate((0.0, 1.0, 2.0, 30.0, 4.0))
    }


@pytest.mark.parametrize("torn", [b'{"key": "loss", "va', b"\n{", b"\0\0\0", b"x" * 200_000])
def test_torn_last_line_of_a_killed_attempt_is_cut_off(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, torn: bytes
) -> None:
    current_run().log({"loss": 1.0}, step=0)
    with (run_dir / "metrics.jsonl").open("ab") as file:
        file.write(torn)
    _begin(run_dir, 2, monkeypatch).log({"loss": 2.0}, step=1)
    lines = (run_dir / "metrics.jsonl").read_text().split("\n")
    assert [json.loads(line)["step"] for line in lines if line] == [0, 1]


@given(
    attempts=st.lists(
        st.lists(
            st.tuples(st.sampled_from("ab"), st.integers(0, 6), st.integers(0, 9)), max_size=12
        ),
        max_size=4,
    )
)
def test_any_attempts_leave_what_a_model_of_them_says(
    tmp_path_factory: pytest.TempPathFactory, attempts: list[list[tuple[str, int, int]]]
) -> None:
    run_dir = tmp_path_factory.mktemp("run")
    expected: dict[tuple[str, int], float] = {}
    with pytest.MonkeyPatch.context() as monkeypatch:
        for number, logged in enumerate(attempts, 1):
            run = _begin(run_dir, number, monkeypatch)
            keys: set[str] = set()
            for key, step, value in logged:
                if key not in keys:
                    expected = {p: v for p, v in expected.items() if p[0] != key or p[1] < step}
                keys.add(key)
                expected[key, step] = float(value)
                run.log({key: value}, step=step)
    if any(attempts):
        assert _points(run_dir) == expected


@pytest.mark.parametrize(
    ("metrics", "step", "error"),
    [
        ({1: 0.5}, 0, "the name of a metric is 1. Make it a string."),
        ({"loss": 0.5}, 0.5, "step is 0.5. Make it an integer."),
        ({"loss": 0.5}, -1, "step is -1. Make it 0 or more."),
        ({"loss": "low"}, 0, "could not convert string to float"),
    ],
)
def test_what_is_no_point_is_refused_and_leaves_nothing(
    run_dir: Path, metrics: Any, step: Any, error: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=error):
        current_run().log(metrics, step)
    assert not (run_dir / "metrics.jsonl").exists()


def test_newest_whole_checkpoint_is_found(run_dir: Path) -> None:
    run = current_run()
    assert run.checkpoint() is None
    folder = run_dir / "checkpoints"
    folder.mkdir()
    assert run.checkpoint() is None
    for age, name in enumerate(["half.tmp", "new", "old.pt"]):
        (folder / name).touch()
        os.utime(folder / name, (1000 - age, 1000 - age))
    assert run.checkpoint() == folder / "new"


@pytest.mark.usefixtures("run_dir")
def test_request_to_stop_is_seen_from_the_first_look_on() -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        run = current_run()
        assert not run.stop_requested
        signal.raise_signal(signal.SIGTERM)
        assert run.stop_requested
        with pytest.raises(SystemExit) as ended:
            run.stop()
        assert ended.value.code == 143
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("run_dir")
def test_program_pauses_after_the_iteration_that_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ORCH_STOP_AFTER", "2")
    current_run.cache_clear()
    before = signal.getsignal(signal.SIGTERM)
    try:
        run = current_run()
        asked = []
        for iteration in (1, 2, 3, 4):
            run.progress(iteration, 4)
            asked.append(run.stop_requested)
        assert asked == [False, True, True, False]
        run.progress(2, 4)
        with pytest.raises(SystemExit) as ended:
            run.stop()
        assert ended.value.code == 0
    finally:
        signal.signal(signal.SIGTERM, before)


def test_full_disk_leaves_the_old_file_and_no_other(run_dir: Path) -> None:
    script = (
        "import resource, orch, pathlib\n"
        "run = orch.current(); run.finish({'x': 1})\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "try: run.finish({'x': 2.0})\n"
        "except OSError as error: print(error.errno)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stdout == "27\n"
    assert json.loads((run_dir / "results.json").read_text())["test"] == {"x": 1.0}
    assert not list(run_dir.glob("*.tmp"))


def test_importing_loads_next_to_nothing() -> None:
    script = "import sys; a = set(sys.modules); import orch; print(len(set(sys.modules) - a))"
    said = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert int(said.stdout) <= 6


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.12", "3.13", "3.14"])
def test_other_versions_of_python_run_it(run_dir: Path, version: str) -> None:
    python = shutil.which(f"python{version}")
    script = (
        "import orch; r = orch.current(); r.log({'x': 1}, step=0); r.progress(1, 1); r.finish({})"
    )
    if (
        python is None
        or subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode
    ):
        pytest.skip(f"there is no Python {version} here")
    subprocess.run([python, "-W", "error", "-c", script], cwd=ROOT, check=True)
    assert _points(run_dir) == {("x", 0): 1.0}
