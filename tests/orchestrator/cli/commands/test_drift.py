"""What other code or another command has made is told by plan and run, and never a trigger."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.config.overrides import as_override
from orchestrator.rundir import code_record
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.state import Record, Status

from .conftest import Grid

SCRIPT = "import model\n"
OPTIONS = "{command: [python, train.py, 'lr={lr}'], tracking: {enabled: false}}"


@pytest.fixture(autouse=True)
def project(grid: Grid, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let a script with a module of its own be the program, in the folder of the grid."""
    monkeypatch.chdir(grid.folder)
    (grid.folder / "train.py").write_text(SCRIPT)
    (grid.folder / "model.py").write_text("x = 1\n")
    with (grid.folder / "conf/config.yaml").open("a") as config:
        config.write(f"orch: {OPTIONS}\n")
    return grid.folder


def plan(grid: Grid, output: Callable[[], str], *more: str) -> str:
    """Return the line that tells of the drift; an empty one if there is none."""
    output()
    assert grid.orch("plan", "lr=0.1,0.2", *more) == 0
    lines = [
        line for line in output().splitlines() if " by other code" in line or " by another" in line
    ]
    assert len(lines) <= 1
    return lines[0] if lines else ""


def execute(grid: Grid, *more: str) -> int:
    return grid.orch("run", "lr=0.1,0.2", "--workers=2", *more)


def test_same_code_is_not_told(grid: Grid, output: Callable[[], str]) -> None:
    """Nor is a file that was saved without a change, or one that no run imports."""
    assert execute(grid) == 0
    assert plan(grid, output) == ""
    (grid.folder / "model.py").write_text("x = 1\n")
    (grid.folder / "unused.py").write_text("x = 1\n")
    assert plan(grid, output) == ""


def test_other_code_is_told_by_plan_and_run_and_executes_nothing(
    grid: Grid, output: Callable[[], str]
) -> None:
    """With the files, whether they were edited or removed."""
    execute(grid)
    (grid.folder / "model.py").write_text("x = 2\n")
    told = "2 done runs were made by other code: model.py"
    assert told in plan(grid, output)
    assert execute(grid) == 0
    said = output()
    assert told in said
    assert "Nothing to do" in said
    (grid.folder / "model.py").unlink()
    assert told in plan(grid, output)


def test_another_command_is_told(grid: Grid, output: Callable[[], str]) -> None:
    """Of the command before its placeholders are replaced: a run's own values make no difference."""
    execute(grid)
    other = "orch.command=[python,train.py]"
    assert plan(grid, output, other).startswith("2 done runs were made by another command")
    (grid.folder / "model.py").write_text("x = 2\n")
    assert plan(grid, output, other).startswith(
        "2 done runs were made by other code: model.py; 2 done runs were made by another command"
    )
    output()
    grid.orch("plan", "lr=0.1,0.2", "--json")
    assert json.loads(output())["drift"] == {
        "done": {"runs": 2, "other_code": 2, "other_command": 0, "files": ["model.py"]},
        "unfinished": {"runs": 0, "other_code": 0, "other_command": 0, "files": []},
    }


def test_results_of_different_code_are_told(grid: Grid, output: Callable[[], str]) -> None:
    """Only those that are compared; the code of now does not matter."""
    execute(grid)
    (grid.folder / "model.py").write_text("x = 2\n")
    assert grid.orch("run", "lr=0.3") == 0
    (grid.folder / "model.py").unlink()
    for words, is_told in (("lr=0.1,0.2", False), ("lr=0.1,0.3", True), ("--all", True)):
        output()
        assert grid.orch("results", words) == 0
        assert ("these runs were made by different code: model.py\n" in output()) is is_told
    assert grid.orch("results", "lr=0.1,0.3", "--json") == 0
    rows = json.loads(output())["rows"]
    assert len({code for row in rows for code in row["code"]}) == 2


def test_other_place_of_python_is_no_other_command(grid: Grid, output: Callable[[], str]) -> None:
    """Nor is what the launcher of Hydra's multirun adds to the command of an app."""
    added = "hydra.mode=RUN", "+hydra.callbacks.orch_return_value._target_=x"
    command = [sys.executable, "train.py", "lr={lr}", *added]
    assert execute(grid, as_override("orch.command", [*command])) == 0
    assert plan(grid, output) == ""


def test_command_that_refers_to_an_axis_is_no_other_command(
    grid: Grid, output: Callable[[], str]
) -> None:
    """Each run has its own then."""
    config = grid.folder / "conf/config.yaml"
    config.write_text(config.read_text().replace("'lr={lr}'", "'lr=${lr}'"))
    assert execute(grid) == 0
    assert plan(grid, output) == ""
    output()
    grid.orch("plan", "lr=0.2,0.1", "--json")
    assert json.loads(output())["drift"]["done"]["runs"] == 0


def test_changed_runs_are_executed_again_only_when_that_is_asked_for(
    grid: Grid, output: Callable[[], str]
) -> None:
    """Others are left alone, and afterwards nothing differs."""
    execute(grid)
    output()
    created = [each.read_created_at() for each in grid.experiment.runs()]
    (grid.folder / "model.py").write_text("x = 2\n")
    assert grid.orch("run", "lr=0.1,0.2,0.3") == 0
    assert "They stay done, unless orch run --rerun-changed" in output()
    assert execute(grid, "--rerun-changed") == 0
    assert "rerun of 2 runs made by other code" in output()
    assert plan(grid, output) == ""
    changed = [each.read_created_at() for each in grid.experiment.runs()]
    assert len(changed) == 3
    assert set(created).isdisjoint(changed)
    assert execute(grid, "--rerun-changed") == 0
    assert "Nothing to do" in output()


def make(grid: Grid, lr: float, record: Record, **files: str | None) -> RunDirectory:
    """Make a run whose last attempt was of this code."""
    directory = grid.make(lr, 0, record=record)
    program = ["python", "train.py", "lr={lr}"]
    told = {"program": program, "directory": str(grid.folder), "files": files}
    code_record.begin(directory.path, 1, json.dumps(told), {})
    status = directory.read_status()
    assert isinstance(status, Status)
    directory.write_status(replace(status, code=code_record.digest_of(directory.path)))
    return directory


@pytest.mark.parametrize("record", [Record.FAILED, Record.INTERRUPTED, Record.RUNNING])
def test_run_that_will_be_resumed_by_other_code_is_told(
    grid: Grid, output: Callable[[], str], record: Record
) -> None:
    """Apart from those that are done."""
    make(grid, 0.1, record, model="aa")
    make(grid, 0.2, Record.DONE, train="bb")
    assert plan(grid, output).startswith(
        "1 done run was made by other code: train; 1 unfinished run was begun by other code: model"
    )


def test_file_that_was_edited_while_a_run_executed_it_differs(
    grid: Grid, output: Callable[[], str]
) -> None:
    """It is not known what of it was imported."""
    make(grid, 0.1, Record.DONE, **{"model.py": None})
    assert "other code: model.py" in plan(grid, output)


def test_many_files_are_named_in_part(grid: Grid, output: Callable[[], str]) -> None:
    """The line stays a line."""
    make(grid, 0.1, Record.DONE, **{f"m{number}.py": "aa" for number in range(9)})
    assert "other code: m0.py, m1.py, m2.py and 6 more" in plan(grid, output)


def test_runs_of_earlier_versions_are_not_told(grid: Grid, output: Callable[[], str]) -> None:
    """They do not say by which code they were made."""
    grid.make(0.1, 0)
    grid.make(0.2, 0, record=Record.FAILED)
    assert plan(grid, output) == ""


def test_one_of_many_runs_of_the_same_code_is_read(grid: Grid, output: Callable[[], str]) -> None:
    """So a plan of 10,000 finished runs stays as fast as it was."""
    _, second = (make(grid, lr, Record.DONE, **{"model.py": "aa"}) for lr in (0.1, 0.2))
    (second.path / "code.json").unlink()
    assert plan(grid, output).startswith("2 done runs were made by other code: model.py")


def test_project_elsewhere_is_compared_where_it_is(
    grid: Grid, output: Callable[[], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The plan may be asked for from any folder."""
    execute(grid)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert plan(grid, output) == ""
    (grid.folder / "model.py").write_text("x = 2\n")
    assert "other code: model.py" in plan(grid, output)


def test_show_says_by_what_a_run_was_made(grid: Grid, output: Callable[[], str]) -> None:
    """The command as it was executed, its folder, and the digests of its files."""
    execute(grid)
    run_id = grid.experiment.run_ids()[0]
    output()
    grid.orch("show", run_id)
    said = output()
    for part in ("python train.py lr=0.", str(grid.folder), "train.py ", "model.py "):
        assert part in said
    grid.orch("show", run_id, "--json")
    (attempt,) = json.loads(output())["code"]
    assert attempt["attempt"] == 1
    assert set(attempt["files"]) == {"train.py", "model.py"}
