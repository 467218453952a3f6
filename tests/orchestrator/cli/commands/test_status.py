"""``orch status`` shows the states of the runs, once or continuously."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.commands import status
from orchestrator.cli.main import call
from orchestrator.errors import ConfigError, OrchestratorError, UsageError
from orchestrator.grid.identity import RunId
from orchestrator.rundir.note_file import change_note
from orchestrator.rundir.records import now
from orchestrator.rundir.state import Record, Status

from .conftest import GRID, Grid, leave


def test_of_many_runs_those_are_shown_that_want_a_look(
    grid: Grid, output: Callable[[], str]
) -> None:
    """The others are counted; ``--all`` lists them."""
    done, failed = grid.make(0.1, 0), grid.make(0.3, 0, record=Record.FAILED)
    for number in range(50):
        copy = grid.experiment.run(RunId(f"{number:016x}"))
        shutil.copytree(done.path, copy.path)
        told = copy.identity.read_text()
        copy.identity.write_text(told.replace(done.run_id, copy.run_id))
    grid.orch("status")
    told = output()
    assert failed.run_id[:8] in told
    assert done.run_id[:8] not in told
    assert "1 of 52 runs are shown; --all lists them.\n1 failed, 51 done\n" in told
    grid.orch("status", "--all")
    assert done.run_id[:8] in output()


def test_watching_ends_when_nothing_runs_any_more(
    grid: Grid, output: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks again for as long as a run lives; as JSON, a line each time."""
    directory = grid.make(0.1, 0, record=Record.RUNNING)
    lock = directory.lock.open()
    fcntl.flock(lock, fcntl.LOCK_EX)

    def look_away(*_: object) -> None:
        os.close(lock)

    monkeypatch.setattr(status.select, "select", look_away)
    assert grid.orch("status", "--watch", "--json") == 0
    states = [json.loads(line)["runs"][0]["state"] for line in output().splitlines()]
    assert states == ["running", "stale"]


def test_watching_lasts_as_long_as_anybody_executes(
    grid: Grid, output: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two runs, in a pause and before the first start nothing runs, and more is to come."""
    directory = grid.make(0.1, 0, record=Record.FAILED)
    descriptor = os.open(grid.experiment.path / "orchestrators.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    looks = iter(range(3))

    def look_away(*_: object) -> None:
        if next(looks) == 2:
            directory.write_status(Status(Record.DONE, 2, now(), "box", 1, ended_at=now()))
            os.close(descriptor)

    monkeypatch.setattr(status.select, "select", look_away)
    assert grid.orch("status", "--watch", "--json") == 0
    states = [json.loads(line)["runs"][0]["state"] for line in output().splitlines()]
    assert states == ["failed", "failed", "failed", "done"]


def test_runs_are_chosen_by_state_condition_and_metric(
    grid: Grid, output: Callable[[], str]
) -> None:
    """What is listed is the choice; what is counted is everything that meets the condition."""
    for lr, seed, loss in ((0.1, 0, 0.5), (0.1, 1, 0.2), (0.2, 0, 0.9)):
        leave(grid.make(lr, seed), **{"test/loss": loss})
    grid.make(0.2, 1, record=Record.FAILED)

    def chosen(*options: str) -> list[dict[str, object]]:
        grid.orch("status", "--json", *options)
        return [run["overrides"] for run in json.loads(output())["runs"]]

    assert chosen("--state", "failed") == [{"lr": 0.2, "seed": 1}]
    assert len(chosen("--state", "failed", "--state", "done")) == 4
    assert chosen("--where", "lr == 0.1 & seed > 0") == [{"lr": 0.1, "seed": 1}]
    assert chosen("--sort", "test/loss", "--top", "2") == [
        {"lr": 0.1, "seed": 1},
        {"lr": 0.1, "seed": 0},
    ]
    assert chosen("--sort", "test/loss")[-1] == {"lr": 0.2, "seed": 1}  # it has none
    grid.orch("status", "--state", "failed")
    lines = output().splitlines()
    assert (len(lines), lines[-1]) == (3, "1 failed, 3 done")


def test_metric_and_condition_that_fit_no_run_are_refused(grid: Grid) -> None:
    """One line says which there are."""
    leave(grid.make(0.1, 0), **{"test/loss": 0.5})
    with pytest.raises(UsageError, match="no run has the metric 'los'"):
        grid.orch("status", "--sort", "los")
    with pytest.raises(UsageError, match="none of the 1 runs meets it"):
        grid.orch("status", "--where", "lr > 7")


def test_condition_that_only_runs_outside_the_grid_meet_lists_them(
    grid: Grid, output: Callable[[], str]
) -> None:
    """With all runs, and as JSON, which has all runs: the grid need not have one that meets it."""
    grid.make(0.1, 0)
    former = grid.make(0.7, 0)
    words = ("lr=0.1,0.2", "--where", "lr > 0.5")
    with pytest.raises(OrchestratorError, match="none of the 2 runs meets it"):
        grid.orch("status", *words)
    grid.orch("status", "--all", *words)
    assert [line.split()[0] for line in output().splitlines()] == ["run", former.run_id[:8], "1"]
    (run,) = _json(grid, output, *words)["runs"]
    assert (run["run_id"], run["in_grid"]) == (former.run_id, False)
    with pytest.raises(OrchestratorError, match="none of the 2 runs meets it"):
        grid.orch("status", "--all", "lr=0.1,0.2", "--where", "lr > 7")


def test_running_runs_outside_the_grid_are_told(grid: Grid, output: Callable[[], str]) -> None:
    """As when the grid of ``orch run`` was given on its command line, and not here."""
    grid.make(0.1, 0)
    grid.make(0.7, 0)
    directory = grid.make(0.8, 0, record=Record.RUNNING)
    lock = directory.lock.open()
    fcntl.flock(lock, fcntl.LOCK_EX)
    grid.orch("status", "lr=0.1,0.2")
    os.close(lock)
    told = (
        "2 other runs of the experiment, 1 of them running, of another lr: --all lists them as well"
    )
    assert output().splitlines()[-1] == told


def _json(grid: Grid, output: Callable[[], str], *arguments: str) -> dict[str, Any]:
    grid.orch("status", "--json", *arguments)
    found: dict[str, Any] = json.loads(output())
    return found


def test_runs_of_the_grid_without_a_directory_are_pending(
    grid: Grid, output: Callable[[], str]
) -> None:
    """They come last, in the order of the grid; run directories outside it are told apart."""
    grid.make(0.1, 0)
    other = grid.make(0.7, 0)
    found = _json(grid, output, *GRID)
    assert found["states"] == {"pending": 3, "running": 0, "stale": 0, "failed": 0, "done": 1}
    states = [(run["state"], run["in_grid"], run["overrides"]) for run in found["runs"]]
    assert states == [
        ("done", True, {"lr": 0.1, "seed": 0}),
        ("done", False, {"lr": 0.7, "seed": 0}),
        ("pending", True, {"lr": 0.1, "seed": 1}),
        ("pending", True, {"lr": 0.2, "seed": 0}),
        ("pending", True, {"lr": 0.2, "seed": 1}),
    ]
    grid.orch("status", *GRID)
    told = output()
    assert (
        "3 pending, 1 done\n1 other run of the experiment, of another lr: --all lists it as well"
        in told
    )
    assert other.run_id[:8] not in told
    grid.orch("status", *GRID, "--all")
    told = output()
    assert other.run_id[:8] in told
    assert told.endswith("3 pending, 2 done\n")
    found = _json(grid, output, *GRID, "--where", "lr == 0.2", "--state", "pending")
    assert [run["overrides"]["seed"] for run in found["runs"]] == [0, 1]
    assert found["states"]["pending"] == 2


def test_many_pending_runs_are_counted_and_listed_on_request(
    grid: Grid, output: Callable[[], str]
) -> None:
    grid.orch("status", "seed=range(500)")
    assert output().startswith("500 runs; --all lists them.\n500 pending\nno runs in ")
    grid.orch("status", "seed=range(500)", "--state", "pending")
    assert (
        len(output().splitlines()) == 503
    )  # with a heading, the counts and that nothing was started


def test_many_runs_sorted_by_a_metric_show_the_best_of_all(
    grid: Grid, output: Callable[[], str]
) -> None:
    """A finished run is not left out for being finished when a metric sorts the list."""
    done = grid.make(0.1, 0)
    for number in range(50):
        copy = grid.experiment.run(RunId(f"{number:016x}"))
        shutil.copytree(done.path, copy.path)
        copy.identity.write_text(copy.identity.read_text().replace(done.run_id, copy.run_id))
        leave(copy, **{"test/loss": number / 10})
    grid.orch("status", "--sort", "test/loss")
    lines = output().splitlines()
    assert lines[1].startswith("00000000")
    assert (len(lines), lines[-2]) == (43, "40 of 51 runs are shown; --all lists them.")


def test_experiments_beside_the_one_of_the_config_have_a_line_each(
    grid: Grid, output: Callable[[], str]
) -> None:
    grid.make(0.1, 0)
    alone = _json(grid, output)["experiments"]
    assert [each["experiment_id"] for each in alone] == ["grid"]
    grid.orch("status")
    assert "last activity" not in output()
    shutil.copytree(grid.experiment.path, grid.experiment.path.with_name("former"))
    grid.orch("status")
    lines = output().splitlines()
    assert [line.split()[0] for line in lines[-3:]] == ["experiment", "former", "grid"]
    assert str(grid.experiment.path) in lines[-1]
    found = _json(grid, output)["experiments"]
    assert [each["states"]["done"] for each in found] == [1, 1]
    assert found[0]["last_activity"].endswith("+00:00")
    assert not _json(grid, output, *GRID)["experiments"]  # a grid was named


@pytest.mark.usefixtures("_obeying_permissions")
def test_what_cannot_be_read_is_told_and_stops_nothing(
    grid: Grid, output: Callable[[], str]
) -> None:
    """Files of a run, a run directory, an experiment beside this one, and what else is there."""
    made = [grid.make(0.1, seed) for seed in (0, 1)] + [grid.make(0.2, 0)]
    closed = [made[0].results, made[1].metrics, made[2].path]
    for path in closed[:2]:
        path.touch()
    other = grid.experiment.path.with_name("other")
    shutil.copytree(grid.experiment.path, other)
    closed += [other / "training", grid.experiment.path.with_name("somebody")]
    closed[-1].mkdir()
    for path in closed:
        path.chmod(0)
    try:
        assert grid.orch("status") == 0
        said = output().splitlines()
        assert grid.orch("status", "--json") == 0
        told = json.loads(output())
    finally:
        for path in closed:
            path.chmod(0o755)
    lines = {line.split()[0]: line for line in said if line}
    assert "done" in (first := lines[made[0].run_id[:8]])
    assert "results.json cannot be read. Fix the permissions" in first
    assert "metrics.jsonl cannot be read" in lines[made[1].run_id[:8]]
    assert "run.lock: Permission denied" in lines[made[2].run_id[:8]]
    assert "cannot be read" in lines["other"]
    assert "somebody" not in lines
    assert [each["experiment_id"] for each in told["experiments"]] == ["grid", "other"]


@pytest.mark.parametrize("where", [".", "results", "results/.."])
def test_folder_without_a_config_lists_its_experiments(
    grid: Grid, output: Callable[[], str], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """In the project's folder whose config is elsewhere, and in that of the results."""
    grid.make(0.1, 0, record=Record.FAILED)
    shutil.copytree(grid.experiment.path, grid.experiment.path.with_name("former"))
    (grid.folder / "conf").rename(grid.folder / "other")
    monkeypatch.chdir(grid.folder / where)
    assert call(["status"]) == 0
    lines = output().splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["experiment", "failed"],
        ["former", "1"],
        ["grid", "1"],
    ]


def test_folder_that_is_named_needs_no_config(
    grid: Grid, output: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One experiment is shown with its runs, several are listed."""
    directory = grid.make(0.1, 0)
    shutil.copytree(grid.experiment.path, grid.experiment.path.with_name("former"))
    monkeypatch.chdir("/")
    call(["status", str(grid.experiment.path)])
    assert directory.run_id[:8] in output()
    call(["status", str(grid.experiment.path), "--where", "lr == 0.1", "--json"])
    assert len(json.loads(output())["runs"]) == 1
    call(["status", str(grid.experiment.results_dir)])
    assert directory.run_id[:8] not in output()
    with pytest.raises(UsageError, match=r"--top is about the runs of one experiment"):
        call(["status", str(grid.experiment.results_dir), "--top", "3"])
    with pytest.raises(UsageError, match="no experiments in"):
        call(["status", str(grid.folder / "conf")])
    with pytest.raises(UsageError, match=r"no folder .*: there are runs of former, grid\. Name a"):
        call(["status", str(grid.experiment.results_dir / "formr")])


def test_folder_without_config_and_experiments_is_the_usual_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError):
        call(["status"])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--halt-on", "failed"], 4),
        (["--halt-on", "stale", "--halt-on", "running"], 0),
        (["--halt-on", "failed", "--state", "done"], 4),
        (["--halt-on", "failed", "--where", "lr == 0.2"], 0),
        (["--halt-on", "pending"], 0),
        (["--halt-on", "pending", *GRID], 4),
        (["--halt-on", "failed", "lr=0.2,0.3"], 0),
    ],
)
def test_exit_code_tells_whether_a_run_is_in_a_state(
    grid: Grid, arguments: list[str], code: int
) -> None:
    """What is meant counts, whatever of it is listed."""
    grid.make(0.1, 0, record=Record.FAILED)
    grid.make(0.2, 0)
    assert grid.orch("status", *arguments) == code


def test_watching_ends_as_soon_as_a_run_is_in_a_state(
    grid: Grid, output: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = grid.make(0.1, 0)
    descriptor = os.open(grid.experiment.path / "orchestrators.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_SH)

    def look_away(*_: object) -> None:
        grid.make(0.2, 0, record=Record.FAILED)

    monkeypatch.setattr(status.select, "select", look_away)
    assert grid.orch("status", "--watch", "--json", "--halt-on", "failed", *GRID) == 4
    os.close(descriptor)
    states = [json.loads(line)["states"] for line in output().splitlines()]
    assert [(each["pending"], each["failed"]) for each in states] == [(3, 0), (2, 1)]
    assert directory.is_done()


def test_live_run_tells_its_slot_and_how_long_it_takes(
    grid: Grid, output: Callable[[], str]
) -> None:
    """What is not known, as of a process that has ended, is left out."""
    directory = grid.make(0.1, 0, record=Record.RUNNING)
    directory.write_status(Status(Record.RUNNING, 1, now(), "box", 1, slot=3))
    lock = directory.lock.open()
    fcntl.flock(lock, fcntl.LOCK_EX)
    (run,) = _json(grid, output)["runs"]
    assert (run["slot"], run["gpu"], run["memory"], run["seconds_left"]) == (3, None, None, None)
    grid.orch("status")
    assert "slot 3" in output()
    os.close(lock)


@pytest.mark.parametrize("grid_of", [(), ("--all",), GRID, ("--all", *GRID), ("--json", *GRID)])
def test_condition_on_what_is_not_in_the_config_is_told_where_to_ask(
    grid: Grid, grid_of: tuple[str, ...]
) -> None:
    """Whether a grid is named or all runs are meant; a key of neither is told as misspelled."""
    leave(grid.make(0.1, 0), **{"test/accuracy": 0.5})
    change_note(grid.make(0.1, 1).path, tags={"phase": "2"})
    for condition, message in (
        ("test/accuracy > 0.9", r"'test/accuracy' is a metric, .* --sort test/accuracy\.$"),
        ("test/accuracy > 0.9 & lr == 0.1", "'test/accuracy' is a metric"),
        ('state == "done"', r"'state' is not in a config, .* orch status --state\.$"),
        ("phase == 2", r"Did you mean tags\.phase\?$"),
        ("sede == 2", r"no run has the key 'sede'\. Did you mean seed\?$"),
    ):
        with pytest.raises(OrchestratorError, match=message) as refusal:
            grid.orch("status", "--where", condition, *grid_of)
        assert "\n" not in str(refusal.value)


def test_experiment_without_runs_is_told_beside_the_pending_runs(
    grid: Grid, output: Callable[[], str]
) -> None:
    """Its name may be misspelled."""
    told = f"no runs in {grid.experiment.training} yet. Start them with orch run.\n"
    grid.orch("status")
    assert output().endswith(told)
    grid.make(0.1, 0)
    grid.orch("status")
    assert told not in output()
