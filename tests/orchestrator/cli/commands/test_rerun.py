"""``orch rerun`` executes chosen runs from nothing, and says what it does."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.errors import RunDirectoryError, UsageError
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.state import Record, State

from .conftest import Grid, leave

SCRIPT = """
import json, os, sys
run_dir = os.environ["ORCH_RUN_DIR"]
with open(f"{run_dir}/results.json", "w") as file:
    json.dump({"test": {"new": 1}}, file)
sys.exit(os.path.exists("broken"))
"""


@pytest.fixture(autouse=True)
def program(grid: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs be executed by a script, in the folder of the grid."""
    monkeypatch.chdir(grid.folder)
    (grid.folder / "train.py").write_text(SCRIPT)
    with (grid.folder / "conf/config.yaml").open("a") as config:
        config.write("orch: {command: [python, train.py], tracking: {enabled: false}}\n")


def done(grid: Grid, lr: float, seed: int) -> RunDirectory:
    """Make a run that is done."""
    directory = grid.make(lr, seed)
    leave(directory, old=1)
    return directory


def results_of(directory: RunDirectory) -> list[str]:
    return [*json.loads(directory.results.read_text())["test"]]


def test_run_named_by_a_prefix_is_executed_without_its_overrides(
    grid: Grid, output: Callable[[], str]
) -> None:
    """What it was started with is recorded, so that nobody has to type it."""
    directory, other = done(grid, 0.3, 5), done(grid, 0.1, 0)
    given = directory.read_chosen().given
    assert grid.orch("rerun", directory.run_id[:6]) == 0
    said = output()
    assert "rerun of 1 run: 1 from nothing. Earlier results are kept in" in said
    assert "lr=0.3 seed=5" in said
    assert (results_of(directory), results_of(other)) == (["new"], ["old"])
    assert directory.read_chosen().overrides == {"lr": 0.3, "seed": 5}
    assert directory.read_chosen().given == given
    assert not (grid.experiment.path / "replaced").exists()


def test_runs_are_chosen_by_a_condition(grid: Grid, output: Callable[[], str]) -> None:
    """Those of the grid and those that it no longer names, on axes and on other keys."""
    chosen = [done(grid, 0.3, 1), done(grid, 0.2, 1)]
    other = done(grid, 0.3, 2)
    where = "seed == 1 & experiment_id == 'grid'"
    assert grid.orch("rerun", "--where", where, "lr=0.1,0.2", "seed=1", "--workers=2") == 0
    assert "2 of 2 runs are done" in output()
    assert [results_of(each) for each in (*chosen, other)] == [["new"], ["new"], ["old"]]


@pytest.mark.parametrize("record", [Record.FAILED, Record.INTERRUPTED, Record.RUNNING])
def test_run_that_is_not_done_begins_from_nothing(grid: Grid, record: Record) -> None:
    """Failed, asked to stop or killed: it does not resume."""
    directory = grid.make(0.1, 0, record=record)
    (directory.path / "checkpoint").touch()
    assert grid.orch("rerun", directory.run_id) == 0
    assert directory.observe().attempts == 1
    assert not (directory.path / "checkpoint").exists()


def test_rerun_that_fails_keeps_the_earlier_result(grid: Grid, output: Callable[[], str]) -> None:
    """It stands in orch results, and orch show says where it is; typed again, it continues."""
    directory = done(grid, 0.1, 0)
    (grid.folder / "broken").touch()
    assert grid.orch("rerun", directory.run_id) == 1
    assert directory.observe().state is State.FAILED
    output()
    grid.orch("results", "--json")
    (row,) = json.loads(output())["rows"]
    assert [*row["metrics"]] == ["old"]
    grid.orch("show", directory.run_id)
    assert "kept until this run is done" in output()
    grid.orch("show", directory.run_id, "--json")
    kept = Path(json.loads(output())["earlier"])
    assert kept.is_dir()
    (grid.folder / "broken").unlink()
    assert grid.orch("rerun", directory.run_id) == 0
    assert "rerun of 1 run: 1 continued" in output()
    assert directory.observe().attempts == 2
    assert results_of(directory) == ["new"]
    assert not kept.exists()


def test_live_run_is_left_as_it_is(grid: Grid, output: Callable[[], str]) -> None:
    """The others are executed, and the exit code says that one was left."""
    live, directory = grid.make(0.1, 0, record=Record.RUNNING), done(grid, 0.1, 1)
    lock = live.lock.open()
    fcntl.flock(lock, fcntl.LOCK_EX)
    assert grid.orch("rerun", "--where", "lr == 0.1") == 3
    os.close(lock)
    assert f"left as it is: {live.run_id}" in output()
    assert (live.observe().attempts, results_of(directory)) == (1, ["new"])


def test_nothing_is_moved_before_all_that_runs_need_is_there(grid: Grid) -> None:
    """A program that cannot be loaded costs no result."""
    directory = done(grid, 0.1, 0)
    text = (grid.folder / "conf/config.yaml").read_text()
    text = text.replace("command: [python, train.py]", "entry_point: 'absent_module:main'")
    (grid.folder / "conf/config.yaml").write_text(text)
    # In a process of its own: the one that forks loads modules once.
    config_dir = f"--config-dir={grid.folder / 'conf'}"
    command = [sys.executable, "-m", "orchestrator", config_dir, "rerun", directory.run_id]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == ExitCode.WRONG
    assert "absent_module" in ended.stderr
    assert "rerun of" not in ended.stdout
    assert results_of(directory) == ["old"]


@pytest.mark.parametrize("place", ["replaced", "orchestrators.lock"])
@pytest.mark.parametrize(
    "command", [["rerun", "--where", "lr == 0.1"], ["run", "seed=0", "--rerun-changed"]]
)
def test_nothing_is_announced_that_then_does_not_happen(
    grid: Grid, output: Callable[[], str], command: list[str], place: str
) -> None:
    """Where the experiment's folder cannot be written, only the refusal is printed."""
    assert grid.orch("run", "lr=0.1", "seed=0") == 0
    (grid.folder / "train.py").write_text(f"{SCRIPT}\n# changed\n")
    path = grid.experiment.path / place
    path.unlink(missing_ok=True)
    path.mkdir() if place == "orchestrators.lock" else path.touch()
    output()
    with pytest.raises(RunDirectoryError):
        grid.orch(*command)
    assert "rerun of" not in output()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no run is named"),
        (["0", "--where", "lr == 1"], "exclude each other"),
        (["--where", "lrr == 1"], "Did you mean lr"),
        (["--where", "lr == 7"], "none of the 1 runs meets it"),
        (["zzzz"], "no run ID starts with"),
    ],
)
def test_choice_that_names_nothing_is_a_usage_error(
    grid: Grid, arguments: list[str], message: str
) -> None:
    """It says what to do, and nothing is executed."""
    directory = done(grid, 0.1, 0)
    with pytest.raises(UsageError, match=message):
        grid.orch("rerun", *arguments)
    assert results_of(directory) == ["old"]


def test_run_that_the_config_no_longer_yields_is_a_usage_error(grid: Grid) -> None:
    """The message names the keys that differ."""
    directory = done(grid, 0.1, 0)
    config = grid.folder / "conf/config.yaml"
    config.write_text(config.read_text() + "".join(f"k{number}: 1\n" for number in range(20)))
    with pytest.raises(UsageError, match=r"cannot be executed again.* differs in k0, k1"):
        grid.orch("rerun", directory.run_id, "~seed")


def test_run_whose_keys_have_moved_in_the_config_is_executed_with_its_own(grid: Grid) -> None:
    """A key that the config no longer has is added, and what took its place is removed."""
    directory = done(grid, 0.1, 0)
    config = grid.folder / "conf/config.yaml"
    config.write_text(config.read_text().replace("lr: 0.1", "rate: {lr: [0.1]}"))
    assert grid.orch("rerun", directory.run_id, "~seed") == 0
    assert directory.read_status().attempt == 1
