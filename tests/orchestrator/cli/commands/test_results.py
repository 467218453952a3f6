"""``orch results`` compares what runs came to."""

import csv
import io
import json
from collections.abc import Callable

import pytest

from orchestrator.errors import OrchestratorError, UsageError
from orchestrator.rundir.state import Record

from .conftest import Grid, leave


def _fill(grid: Grid) -> None:
    for lr, seed, loss in ((0.1, 0, 3.0), (0.1, 1, 1.0), (0.2, 0, 1.0)):
        leave(grid.make(lr, seed), **{"test/loss": loss})
    leave(grid.make(0.2, 1, record=Record.FAILED), **{"test/loss": 0.0})


def test_table_has_a_row_for_each_set_of_axes(grid: Grid, output: Callable[[], str]) -> None:
    """Seeds are averaged; a run that failed has no results, whatever it left."""
    _fill(grid)
    assert grid.orch("results") == 0
    lines = [line.split() for line in output().splitlines()]
    assert lines[:3] == [
        ["lr", "runs", "test/loss"],
        ["0.2", "1", "of", "2,", "1", "failed", "1"],
        ["0.1", "2", "2", "±", "1.4"],
    ]


def test_csv_is_for_spreadsheets(grid: Grid, output: Callable[[], str]) -> None:
    """A column for the mean, one for the deviation, unrounded; what is not there is empty."""
    _fill(grid)
    grid.orch("results", "--csv")
    rows = list(csv.reader(io.StringIO(output())))
    assert rows[0] == ["lr", "runs", "with_results", "states", "test/loss", "test/loss_std"]
    assert rows[1] == ["0.2", "2", "1", "1 failed, 1 done", "1.0", ""]
    assert float(rows[2][5]) == pytest.approx(2**0.5)


@pytest.mark.usefixtures("_obeying_permissions")
def test_runs_whose_files_cannot_be_read_are_told(grid: Grid, output: Callable[[], str]) -> None:
    """Values are missing then: in the averages, or of a run that may be one of a row."""
    _fill(grid)
    first, *others = [grid.make(0.3, seed) for seed in range(3)]
    closed = [first.config, others[0].results, others[1].path]
    leave(others[0], **{"test/loss": 5.0})
    for number, path in enumerate(closed, 1):
        path.chmod(0)
        try:
            assert grid.orch("results") == 0
        finally:
            path.chmod(0o755)
        said = output()
        name = ("config.yaml", "results.json", "run.json")[number - 1]
        run_id = [first, *others][number - 1].run_id
        assert f"{name} of run {run_id[:8]} cannot be read, so values are missing" in said
        assert "stale" not in said


def test_json_is_for_programs(grid: Grid, output: Callable[[], str]) -> None:
    """The same, with the names of the axes that were averaged over."""
    _fill(grid)
    grid.orch("results", "--json", "--over", "lr", "--sort", "test/loss")
    told = json.loads(output())
    assert (told["axes"], told["over"]) == (["seed"], ["lr"])
    assert [row["overrides"] for row in told["rows"]] == [{"seed": 1}, {"seed": 0}]


def test_results_before_the_first_run_are_no_error(grid: Grid, output: Callable[[], str]) -> None:
    """It says what to do, and JSON is JSON."""
    grid.orch("results")
    assert "Start them with orch run" in output()
    grid.orch("results", "--json")
    assert json.loads(output())["rows"] == []


def test_two_formats_at_once_are_refused(grid: Grid) -> None:
    """Nobody could read both."""
    with pytest.raises(UsageError, match="Choose one"):
        grid.orch("results", "--json", "--csv")


def test_metrics_are_the_same_in_every_command(grid: Grid, output: Callable[[], str]) -> None:
    """A test result with the name of a metric is told under another one, and ranks nothing."""
    directory = grid.make(0.1, 0)
    leave(directory, accuracy=0.71)
    content = {"iteration": 1, "iterations": 1, "metrics": {"accuracy": 0.99, "flag": True}}
    (directory.path / "progress.json").write_text(json.dumps(content))
    grid.orch("results", "--json")
    (row,) = json.loads(output())["rows"]
    assert {key: cell["mean"] for key, cell in row["metrics"].items()} == {
        "test/accuracy": 0.71,
        "accuracy": 0.99,
        "flag": 1,
    }
    for command in (["status"], ["show", directory.run_id]):
        grid.orch(*command, "--json")
        told = json.loads(output())
        (told,) = told.get("runs", [told])
        assert told["metrics"] == {"test/accuracy": 0.71, "accuracy": 0.99, "flag": True}


def test_program_that_only_appends_points_is_shown(grid: Grid, output: Callable[[], str]) -> None:
    """Its last values are its metrics, in every command."""
    directory = grid.make(0.1, 0)
    points = [
        {"key": "score", "value": value, "step": step} for step, value in ((1, 2.5), (2, 3.5))
    ]
    directory.metrics.write_text("".join(json.dumps(point) + "\n" for point in points))
    for command in (["status"], ["results"], ["show", directory.run_id]):
        grid.orch(*command)
        assert "3.5" in output(), command


def test_unknown_direction_is_said(grid: Grid, output: Callable[[], str]) -> None:
    """Rather than to call the largest the best."""
    for lr, value in ((0.1, 1.0), (0.2, 2.0)):
        leave(grid.make(lr, 0), temperature=value, wer=value)
    grid.orch("results")
    assert (
        "largest temperature first: its name does not tell whether less or more is better"
        in output()
    )
    grid.orch("results", "--sort=wer", "--json")
    told = json.loads(output())
    assert told["better"] == "less"
    assert [row["overrides"]["lr"] for row in told["rows"]] == [0.1, 0.2]


def test_value_that_was_no_axis_makes_a_row_of_its_own(
    grid: Grid, output: Callable[[], str]
) -> None:
    """A value given alone, and a default that was changed in between."""
    config = grid.folder / "conf/config.yaml"
    text = config.read_text() + "orch: {command: ['true'], tracking: {enabled: false}}\n"
    config.write_text(text)
    for lr in ("0.1", "0.3"):
        assert grid.orch("run", "seed=0,1", f"lr={lr}", "--quiet") == 0
    config.write_text(text + "y: 5\n")
    assert grid.orch("run", "seed=0,1", "lr=0.3", "--quiet") == 0
    output()
    grid.orch("results", "--json")
    told = json.loads(output())
    assert (told["axes"], told["over"]) == (["lr", "y"], ["seed"])
    assert {(row["overrides"]["lr"], row["overrides"].get("y"), row["runs"]) for row in told["rows"]} == {
        (0.1, None, 2), (0.3, None, 2), (0.3, 5, 2)
    }  # fmt: skip


def test_only_the_runs_of_the_grid_are_compared(grid: Grid, output: Callable[[], str]) -> None:
    """Others of the experiment are counted; without a grid, and with --all, all are compared."""
    _fill(grid)
    grid.orch("results", "lr=0.1,0.3", "seed=0,1")
    lines = output().splitlines()
    assert [line.split()[:3] for line in lines[1:3]] == [["0.1", "2", "2"], ["0.3", "0", "of"]]
    assert "0 of 2, 2 pending" in lines[2]
    assert lines[-1] == "2 other runs of the experiment: --all compares them as well"
    grid.orch("results", "lr=0.1,0.3", "seed=0,1", "--all", "--json")
    assert [row["runs"] for row in json.loads(output())["rows"]] == [2, 2]
    grid.orch("results", "lr=0.1", "--json")
    assert [row["runs"] for row in json.loads(output())["rows"]] == [1]


def test_grid_that_has_not_started_says_how_to_compare_the_others(
    grid: Grid, output: Callable[[], str]
) -> None:
    """By a command that can be copied, also where a metric is asked for that no run can have yet."""
    _fill(grid)
    grid.orch("results", "lr=0.3,0.4")
    told, command = output().splitlines()
    assert told == "No run of this grid has started. To compare the 4 other runs of the experiment:"
    assert command.split()[:3] == ["orch", "results", "--all"]
    with pytest.raises(UsageError, match=r"no run of this grid has results\. --all compares the 4"):
        grid.orch("results", "lr=0.3,0.4", "--sort", "test/los")


def test_runs_that_are_done_without_metrics_are_told(grid: Grid, output: Callable[[], str]) -> None:
    """Results that will never come are not expected."""
    grid.make(0.1, 0)
    grid.orch("results", "--all")
    assert "1 run is done and reports no metrics: orch.current().log()" in output()
    grid.orch("results", "--all", "--at", "3")
    said = output()
    assert "no run has metrics of iteration 3: --at common finds the last that all" in said
    assert "all metrics are those" not in said
    grid.make(0.2, 0, record=Record.FAILED)
    grid.orch("results", "--all")
    told = "1 run is done and reports no metrics, and no other run has results yet: orch.cur"
    assert told in output()


@pytest.mark.parametrize("all_runs", [[], ["--all"], ["lr=0.1,0.2", "seed=0,1"]])
def test_condition_chooses_the_runs(
    grid: Grid, output: Callable[[], str], all_runs: list[str]
) -> None:
    """Whether a grid names them or not."""
    _fill(grid)
    grid.orch("results", "--where", "lr > 0.1", "--json", *all_runs)
    (row,) = json.loads(output())["rows"]
    assert (row["overrides"], row["states"]) == ({"lr": 0.2}, {"failed": 1, "done": 1})


def test_single_runs_are_listed_with_their_places(grid: Grid, output: Callable[[], str]) -> None:
    """The ID on the terminal; the path as well for programs."""
    _fill(grid)
    grid.orch("results", "--runs", "--sort", "test/loss", "--top", "2", "--json")
    rows = json.loads(output())["rows"]
    assert [row["metrics"]["test/loss"]["mean"] for row in rows] == [1.0, 1.0]
    for row in rows:
        (run_id,), (path,) = row["run_ids"], row["paths"]
        assert path == str(grid.experiment.training / run_id)
    grid.orch("results", "--runs", "--top", "1")
    assert output().splitlines()[0].split() == ["run", "lr", "seed", "state", "test/loss"]


def test_unfinished_runs_are_compared_at_an_iteration_they_share(
    grid: Grid, output: Callable[[], str]
) -> None:
    """The last that all have reached, or any; a test result is of no iteration."""
    for lr, steps in ((0.1, 3), (0.2, 2)):
        run = grid.make(lr, 0, record=Record.INTERRUPTED)
        points = [
            {"key": key, "value": lr * step, "step": step, "timestamp": 0}
            for step in range(1, steps + 1)
            for key in ("loss", "test/loss")
        ]
        run.metrics.write_text("".join(f"{json.dumps(point)}\n" for point in points))
    grid.orch("results", "--at", "common", "--json")
    told = json.loads(output())
    assert told["at"] == 2
    assert [row["metrics"] for row in told["rows"]] == [
        {"loss": {"mean": 0.2, "std": None, "runs": 1}},
        {"loss": {"mean": 0.4, "std": None, "runs": 1}},
    ]
    grid.orch("results", "--at", "3", "--json")
    assert [row["with_results"] for row in json.loads(output())["rows"]] == [1, 0]
    with pytest.raises(UsageError, match="--at is 'last'"):
        grid.orch("results", "--at", "last")


def test_common_iteration_needs_metrics(grid: Grid) -> None:
    """There is none of runs that have not begun."""
    with pytest.raises(UsageError, match="no run has reported a metric so far"):
        grid.orch("results", "--at", "common")


@pytest.mark.parametrize("width", [80, 200])
def test_differences_stand_beside_the_metrics(
    grid: Grid, output: Callable[[], str], width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a sentence that says what they are."""
    monkeypatch.setenv("COLUMNS", str(width))
    pytest.importorskip("scipy")
    for lr, seed, loss in ((0.1, 0, 3.0), (0.1, 1, 4.0), (0.2, 0, 1.0), (0.2, 1, 2.0)):
        leave(grid.make(lr, seed), **{"test/loss": loss})
    grid.orch("results", "--difference", "--sort", "test/loss")
    lines = output().splitlines()
    assert lines[0].endswith("to the best")
    assert lines[2].split()[-3:] == ["+2", "±", "0"]
    assert "paired by seed" in lines[-1]
    assert "95 % confidence interval" in lines[-1]
    grid.orch("results", "--difference", "--sort", "test/loss", "--over", "lr")
    assert "paired by lr" in output().splitlines()[-1]


def test_differences_are_in_the_formats_for_programs(grid: Grid, output: Callable[[], str]) -> None:
    """Where they are asked for."""
    pytest.importorskip("scipy")
    for lr, seed, loss in ((0.1, 0, 3.0), (0.1, 1, 4.0), (0.2, 0, 1.0), (0.2, 1, 2.0)):
        leave(grid.make(lr, seed), **{"test/loss": loss})
    asked = ("results", "--difference", "--sort", "test/loss")
    grid.orch(*asked, "--json")
    told = [row["to_the_best"] for row in json.loads(output())["rows"]]
    assert told == [None, {"mean": 2.0, "half_width": 0.0, "pairs": 2, "common": 2}]
    grid.orch(*asked, "--csv")
    rows = csv.DictReader(io.StringIO(output()))
    assert [row["to_the_best"] for row in rows] == ["", "2.0"]
    for form, line in (("--markdown", "\n{}\n"), ("--latex", "% {}\n")):
        grid.orch(*asked, form)
        shown = output()
        assert "to the best" in shown
        for told in (
            "mean ± standard deviation over seed, smallest test/loss first",
            "to the best: paired by seed, ± half of the 95 % confidence interval",
        ):
            assert line.format(told) in shown
    grid.orch("results", "--json")
    assert [row["to_the_best"] for row in json.loads(output())["rows"]] == [None, None]


@pytest.mark.parametrize("command", [["results"], ["results", "--all"], ["plot", "--out", "x.svg"]])
def test_condition_is_named_as_it_was_given(grid: Grid, command: list[str]) -> None:
    """The option of these commands is ``--where``."""
    leave(grid.make(0.1, 0), loss=1.0)
    with pytest.raises(OrchestratorError, match=r"^--where 'lrr == 1': no run has the key 'lrr'"):
        grid.orch(*command, "--where", "lrr == 1", "lr=0.1,0.2")
