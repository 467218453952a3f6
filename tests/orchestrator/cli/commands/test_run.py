"""``orch run`` does what ``orch plan`` shows."""

import json
from collections.abc import Callable

from orchestrator.rundir.state import Record

from .conftest import Grid

SEEDS = "seed=range(7)"


def test_plan_shows_what_run_does(grid: Grid, output: Callable[[], str]) -> None:
    """Whatever state a run is in: the same runs, the same actions, for the same reasons."""
    with (grid.folder / "conf/config.yaml").open("a") as config:
        config.write("orch: {command: ['true'], tracking: {enabled: false}}\n")
    for seed, record in enumerate(Record):
        grid.make(0.1, seed, record=record)
    unreadable, zeros = (grid.make(0.1, seed) for seed in (4, 5))
    (unreadable.path / "status.json").write_bytes(b'{"schema": 1, "sta')
    (zeros.path / "status.json").write_bytes(bytes(30))

    grid.orch("plan", SEEDS, "--json")
    planned = json.loads(output())["runs"]
    assert [run["action"] for run in planned] == [
        *["resume", "skip", "retry", "resume", "resume", "resume", "run"]
    ]
    assert grid.orch("run", SEEDS, "--json", "--workers", "1") == 0
    events = [json.loads(line) for line in output().splitlines()]
    started = [event for event in events if event["event"] == "started"]
    assert [(event["run_id"], event["action"]) for event in started] == [
        (run["run_id"], run["action"]) for run in planned if run["action"] != "skip"
    ]

    grid.orch("plan", SEEDS, "--json")
    assert {run["action"] for run in json.loads(output())["runs"]} == {"skip"}
    assert grid.orch("run", SEEDS, "--json", "--workers", "1") == 0
    assert "started" not in output()
