"""``orch show`` tells all that is known of one run."""

import json
import shlex
from collections.abc import Callable

import pytest

from orchestrator.cli.arguments import parse_arguments
from orchestrator.cli.lookup import source_of
from orchestrator.cli.next_command import join_words, split_words
from orchestrator.errors import UsageError
from orchestrator.grid import axes
from orchestrator.planning.load import load_plan
from orchestrator.rundir import code_record
from orchestrator.rundir.state import Record

from .conftest import GRID, Grid, leave, write_log


def test_everything_about_a_run_is_told(grid: Grid, output: Callable[[], str]) -> None:
    """State, axes, attempts, error, paths, and the command that continues it."""
    directory = grid.make(0.2, 1, record=Record.FAILED)
    leave(directory, **{"test/loss": 0.25})
    write_log(directory, b"...")
    assert grid.orch("show", directory.run_id[:6], *GRID) == 0
    told = output()
    for part in (
        f"run {directory.run_id}  failed  attempt 1 failed, error: it was not to be",
        "lr                     0.2",
        "error                  it was not to be",
        str(directory.config),
        "attempt-001.log",
        "conf lr=0.2 seed=1\n",
    ):
        assert part in told
    assert "test/loss" not in told  # its program wrote results, and failed nevertheless


def test_best_iteration_and_its_checkpoint_are_named(grid: Grid, output: Callable[[], str]) -> None:
    """Of programs without one, nothing is said."""
    directory = grid.make(0.2, 1)
    grid.orch("show", directory.run_id, *GRID)
    assert "\n  best" not in output()
    grid.orch("show", directory.run_id, *GRID, "--json")
    assert json.loads(output())["best"] is None
    best = {"iteration": 7, "validation/loss": 0.25}
    directory.results.write_text(
        json.dumps({"schema": 1, "test": {"test/loss": 0.5}, "best": best})
    )
    checkpoint = directory.path / "checkpoints/best.pt"
    checkpoint.parent.mkdir()
    checkpoint.touch()
    grid.orch("show", directory.run_id, *GRID)
    told = output()
    assert "test/loss              0.5\n" in told
    assert "best                   iteration 7, validation/loss 0.25\n" in told
    assert f"best checkpoint        {checkpoint}\n" in told
    grid.orch("show", directory.run_id, *GRID, "--json")
    assert json.loads(output())["best"] == {
        "iteration": 7,
        "metrics": {"validation/loss": 0.25},
        "checkpoint": str(checkpoint),
    }


def test_run_that_another_one_was_begun_with_is_named(
    grid: Grid, output: Callable[[], str]
) -> None:
    """In the first iterations of an extended run no time was spent."""
    directory = grid.make(0.2, 1)
    grid.orch("show", directory.run_id, *GRID, "--json")
    assert json.loads(output())["begun_with"] is None
    (directory.path / "extended.json").write_text('{"run_id": "0123456789abcdef", "iteration": 3}')
    grid.orch("show", directory.run_id, *GRID)
    assert "begun with             3 iterations of run 0123456789abcdef\n" in output()
    grid.orch("show", directory.run_id, *GRID, "--json")
    assert json.loads(output())["begun_with"] == {"run_id": "0123456789abcdef", "iteration": 3}


def test_line_of_a_run_is_about_one_thing(grid: Grid, output: Callable[[], str]) -> None:
    """No label stands twice, and no terminal breaks a time."""
    directory = grid.make(0.2, 1)
    progress = {"iteration": 3, "iterations": 3, "metrics": {}}
    (directory.path / "progress.json").write_text(json.dumps(progress))
    grid.orch("show", directory.run_id, "+iterations=3", *GRID)
    lines = [line for line in output().splitlines() if line.startswith("  ")]
    labels = [line[:24].strip() for line in lines]
    assert len(set(labels)) == len(labels)
    assert {"attempt", "started", "ended", "progress"} <= set(labels)
    assert all(len(it) <= 80 for it in lines if it[:24].strip() in ("started", "ended"))


def test_command_to_continue_a_run_means_this_run_alone(
    grid: Grid, output: Callable[[], str]
) -> None:
    """It is tried out before it is told; where the config has changed, the changes are undone."""
    directory = grid.make(0.2, 1, record=Record.INTERRUPTED)
    config = grid.folder / "conf/config.yaml"
    for extra, undone in (("", []), ("new: 1\nmore: {a: [1, 2]}\n", ["~new", "~more.a", "~more"])):
        config.write_text(config.read_text() + extra)
        grid.orch("show", directory.run_id, *GRID, "--json")
        told = json.loads(output())
        assert shlex.split(told["command"]) == [
            *["orch", "run", f"--config-dir={grid.folder / 'conf'}", "lr=0.2", "seed=1"],
            *undone,
        ]


@pytest.mark.parametrize(
    ("made_with", "asked_with"),
    [
        (["experiment_id=hup", "lr=0.5"], ["experiment_id=hup"]),
        (["+batch=3"], []),
        (["+batch={size: 3, name: 'a b'}", "seed=1,2"], []),
        (["~lr"], []),
        (["lr='[1, ä]'"], ["seed=5"]),
        (["lr=[1,2]", "seed=null"], []),
    ],
)
def test_command_has_the_overrides_that_made_the_run(
    grid: Grid, output: Callable[[], str], made_with: list[str], asked_with: list[str]
) -> None:
    """Also those that are not axes: it makes exactly this run."""
    with (grid.folder / "conf/config.yaml").open("a") as config:
        config.write("orch: {command: ['false'], tracking: {enabled: false}}\n")
    experiment = ["experiment_id=hup"] if "experiment_id=hup" in made_with else []
    grid.orch("run", *made_with, "--retries=0")
    output()
    grid.orch("status", *experiment, "--json")
    run_id = json.loads(output())["runs"][0]["run_id"]
    grid.orch("show", run_id, *experiment, *asked_with, "--json")
    command = json.loads(output())["command"]
    words = shlex.split(command)
    assert words[:2] == ["orch", "run"]
    grid.orch("plan", "--json", *words[3:])
    planned = json.loads(output())
    assert [run["run_id"] for run in planned["runs"]] == [run_id]
    assert planned["runs"][0]["action"] == "retry"


def test_run_of_another_config_is_said_to_be_one(grid: Grid, output: Callable[[], str]) -> None:
    """No command is made up that would make another run."""
    directory = grid.make(0.2, 1, record=Record.INTERRUPTED)
    config = grid.folder / "conf/config.yaml"
    config.write_text(config.read_text() + "".join(f"new{n}: {n}\n" for n in range(20)))
    grid.orch("show", directory.run_id, *GRID)
    told = output()
    assert "no command to continue it: it belongs to another config" in told
    assert "new0, new1, new2, new3, new4 and 15 more" in told
    assert "orch run" not in told


def test_large_grid_is_not_listed_for_one_run(
    grid: Grid, output: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it has one point only, the sizes of its axes tell."""
    directory = grid.make(0.2, 1, record=Record.INTERRUPTED)
    output()

    def list_it(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(axes, "expand", list_it)
    grid.orch("show", directory.run_id, "lr=0.2,0.3", "seed=range(10000)", "--json")
    assert json.loads(output())["command"].endswith("lr=0.2 seed=1")


def test_json_has_it_all(grid: Grid, output: Callable[[], str]) -> None:
    """A finished run needs no command."""
    directory = grid.make(0.1, 0)
    leave(directory, accuracy=0.5)
    grid.orch("show", directory.run_id, "--json")
    told = json.loads(output())
    assert told["schema"] == 1
    assert told["state"] == "done"
    assert told["overrides"] == {"lr": 0.1, "seed": 0}
    assert told["results"] == {"accuracy": 0.5}
    assert told["config"]["lr"] == 0.1
    assert told["command"] is None


def test_damaged_run_is_shown_with_its_damage(grid: Grid, output: Callable[[], str]) -> None:
    """Users look at a run because it may be damaged."""
    directory = grid.make(0.1, 0)
    (directory.path / "run.json").write_bytes(b"\0" * 30)
    assert grid.orch("show", directory.run_id) == 0
    assert "it does not name the run" in output()


def test_no_runs_is_said_with_what_to_do(grid: Grid) -> None:
    """There is nothing to show before the first run."""
    with pytest.raises(UsageError, match="Start them with orch run"):
        grid.orch("show", "a")


@pytest.mark.parametrize("command", [["show"], ["logs"], ["note", "--tag", "odd"], ["rm"]])
def test_run_that_has_not_started_is_not_taken_for_a_misspelled_one(
    grid: Grid, command: list[str]
) -> None:
    """``orch status`` prints its ID, so the commands on one run know it."""
    grid.make(0.1, 0)
    where = ["--config-dir", str(grid.folder / "conf")]
    planned = load_plan(source_of(parse_arguments([*where, "plan", *GRID])))
    pending = planned.plan.decisions.runs[1]
    told = rf"^run {pending.run_id} has not started yet: .* Start it with orch run\.$"
    for name in (pending.run_id, pending.run_id[:8].upper()):
        with pytest.raises(UsageError, match=told):
            grid.orch(*command, name, *GRID)
    for overrides in ((), (*GRID, "+_filters=['lr>']")):  # another grid, and one with an error
        with pytest.raises(UsageError, match=r"^no run ID starts with"):
            grid.orch(*command, pending.run_id, *overrides)


def test_credentials_in_an_earlier_record_are_not_shown(
    grid: Grid, output: Callable[[], str]
) -> None:
    """Those of its command, and of the command line."""
    directory = grid.make(0.2, 1, record=Record.FAILED)
    command = ["train", "--token=sesame-open", "--password", "sesame-open"]
    made = {"directory": "/", "files": {}, "program": command, "command": command}
    typed = ["orch", "run", "orch.command=[train,--password,sesame-open]", "note=two\nlines"]
    made |= {"typed": join_words(typed)}
    code_record.begin(directory.path, 1, json.dumps(made), {})
    grid.orch("show", directory.run_id, *GRID)
    told = output()
    assert "train '--token=***' --password '***'" in told
    grid.orch("show", directory.run_id, *GRID, "--json")
    shown = output()
    assert "sesame" not in told + shown
    words = split_words(json.loads(shown)["code"][0]["typed"])
    assert words == ["orch", "run", "orch.command=[train,--password,***]", typed[-1]]
