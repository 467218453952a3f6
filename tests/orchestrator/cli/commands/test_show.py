"""``orch show`` tells all that is known of one run."""

import json
from collections.abc import Callable

import pytest

from orchestrator.errors import UsageError
from orchestrator.rundir.state import Record

from .conftest import GRID, Grid, leave, write_log


def test_everything_about_a_run_is_told(grid: Grid, output: Callable[[], str]) -> None:
    """State, axes, attempts, error, results, paths, and the command that continues it."""
    directory = grid.make(0.2, 1, record=Record.FAILED)
    leave(directory, **{"test/loss": 0.25})
    write_log(directory, b"...")
    assert grid.orch("show", directory.run_id[:6], *GRID) == 0
    told = output()
    for part in (
        f"run {directory.run_id}  failed  attempt 1 failed, error: it was not to be",
        "lr                     0.2",
        "error                  error: it was not to be",
        "test/loss              0.25",
        str(directory.config),
        "attempt-001.log",
        "conf lr=0.2 seed=1\n",
    ):
        assert part in told


def test_command_to_continue_a_run_means_this_run_alone(
    grid: Grid, output: Callable[[], str]
) -> None:
    """It is tried out before it is told; where the config has changed, the grid's own is told."""
    directory = grid.make(0.2, 1, record=Record.INTERRUPTED)
    config = grid.folder / "conf/config.yaml"
    for extra, expected in (("", ["lr=0.2", "seed=1"]), ("new: 1\n", list(GRID))):
        config.write_text(config.read_text() + extra)
        grid.orch("show", directory.run_id, *GRID, "--json")
        command = json.loads(output())["command"]
        assert command.split() == [
            *["orch", "run", f"--config-dir={grid.folder / 'conf'}"],
            *expected,
        ]


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
    """Whoever looks at a run may look because it is damaged."""
    directory = grid.make(0.1, 0)
    (directory.path / "run.json").write_bytes(b"\0" * 30)
    assert grid.orch("show", directory.run_id) == 0
    assert "it does not say which run this is" in output()


def test_no_runs_is_said_with_what_to_do(grid: Grid) -> None:
    """There is nothing to show before the first run."""
    with pytest.raises(UsageError, match="orch run starts them"):
        grid.orch("show", "a")
