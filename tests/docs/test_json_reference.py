"""The page on JSON: it has the fields that are printed, all of them and no others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from math import inf
from pathlib import Path
from typing import Any

import pytest
from doc_pages import DOCS, read_tables
from sandbox import Sandbox

from orchestrator.cli.event_json import event_as_json
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.execution.events import (
    Adopted,
    Advanced,
    Blocked,
    ControlFailed,
    Controlled,
    Paused,
    Retrying,
    RungCompleted,
    Stopping,
)
from orchestrator.execution.slots import Slot
from orchestrator.grid.identity import identify

TABLES = read_tables(DOCS / "reference" / "json.md")
# What a run directory holds under names of the user's own.
OPEN = {"sharing", "overrides", "given", "metrics", "results", "config", "states", "files", "tags"}
# The amounts of a forecast, which have one form.
OPEN |= {"gpu_hours", "seconds", "forecast_seconds", "slot_seconds", "gpu_seconds", "bytes"}
GRID = """lr=0.1,0.1,2,3 '+_filters=["lr > 2 ! steps == 20"]'"""
COMMANDS = {
    "orch plan --json": [
        f"orch plan {GRID} --json",
        "orch plan lr=0.5 --json",
        "orch plan lr=0.1 pause=0,1 --json",
        "orch plan lr=0.5,0.6 +iterations=3 --halving loss:min:2 --json",
        """orch plan lr=0.7 'orch.slurm={{pilots: 2, sbatch: ["--mem=1G"]}}' --json""",
    ],
    "orch init --json": ["orch init made --app --json"],
    "orch stop --json": ["orch stop --json"],
    "orch control --json": ["orch control --pause --json"],
    "orch status --json": [
        "orch status --json",
        "orch status lr=0.5,0.6 +iterations=3 --halving loss:min:2 --json",
    ],
    "orch show --json": ["orch show {done} --json", "orch show {failed} --json"],
    "orch note --json": ["orch note {done} good --tag baseline --json"],
    "orch diff --json": ["orch diff {done} {failed} --json"],
    "orch results --json": ["orch results --json"],
    "orch report --json": ["orch report --all --out x.html --json"],
    "orch plot --json": ["orch plot --parallel --runs --all --out x.svg --json"],
    "orch rm --json": ["orch rm {done} --json"],
    "orch prune --json": ["orch prune lr=0.5 --json"],
    "orch sync --json": ["orch sync orch.tracking.enabled=true experiment_id=none --json"],
    "orch logs --json": ["orch logs {done} --json"],
}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """Return a folder in which a run is done and another one failed."""
    made = Sandbox(tmp_path_factory.mktemp("json"), "toy")
    output, code = made.run(f"orch run {GRID} --json > events.jsonl")
    assert code == ExitCode.FAILED, output
    results = {"schema": 1, "test": {"test/loss": 1}, "best": {"iteration": 1, "loss": 1}}
    done = made.folder / next(made.folder.glob(f"results/*/training/{ids(made.folder)['done']}"))
    (done / "results.json").write_text(json.dumps(results))
    return made


def fields_under(heading: str) -> set[str]:
    """Return the documented fields; of a list of objects, its own row says only that it is one."""
    return {row[0].strip("`") for row in TABLES[heading]}


def paths(node: object, path: str = "") -> Iterator[str]:
    """Yield the fields of a JSON document as the page writes them."""
    if isinstance(node, Mapping) and path.rpartition(".")[2] not in OPEN:
        for key, value in node.items():
            below = f"{path}.{key}" if path else key
            if isinstance(value, list):
                yield f"{below}[]"
                for item in value:
                    yield from paths(item, f"{below}[]")
            else:
                yield below
                yield from paths(value, below)


@cache
def ids(folder: Path) -> dict[str, str]:
    """Return a run that is done and one that has failed."""
    found = {}
    for path in sorted(folder.glob("results/*/training/*/status.json")):
        found[json.loads(path.read_text())["state"]] = path.parent.name
    return found


@pytest.mark.parametrize("heading", COMMANDS)
def test_page_has_the_fields_that_a_command_prints(heading: str, sandbox: Sandbox) -> None:
    """Each field that is printed is documented, and each that is documented is printed."""
    found: set[str] = set()
    for command in COMMANDS[heading]:
        output, _ = sandbox.run(command.format(**ids(sandbox.folder)))
        found |= set(paths(json.loads(output)))
    assert found == fields_under(heading)


def printed_events(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """Return an event of each kind: some as they were printed, the rare ones as they would be."""
    run = identify({"lr": 0.1}, {"lr": 0.1})
    rare = [
        Retrying(run, 1, "killed", 1.0, alone=False),
        Adopted(run, "its process lives"),
        Advanced(run, 1, 3, 1.0),
        RungCompleted(1, 3, 1, 2, "loss"),
        Blocked(Slot(0), "GPU 0 is full"),
        Paused("5 in a row", inf),
        Stopping(1, at_once=False),
        Controlled(4, is_paused=True),
        ControlFailed("it is torn"),
    ]
    lines = (sandbox.folder / "events.jsonl").read_text().splitlines()
    events = [*map(event_as_json, rare), *map(json.loads, lines)]
    return {str(event["event"]): event for event in events}


def test_page_has_every_event_with_its_fields(sandbox: Sandbox) -> None:
    """Events that end with MLflow's absence are told by the end-to-end test of tracking."""
    events = printed_events(sandbox)
    documented = [name for name, rows in TABLES.items() if rows[0][:1] == ["`event`"]]
    assert set(documented) == {*events, "waiting", "at_end_failed"}
    for name, event in events.items():
        assert set(paths(event)) == fields_under(name), name


def test_page_has_what_the_command_at_the_end_is_told(sandbox: Sandbox) -> None:
    told = "'orch.at_end=[sh,-c,\"cat > told.json\"]'"
    sandbox.run(f"orch run {GRID} {told} --quiet")
    summary = json.loads((sandbox.folder / "told.json").read_text())
    assert set(paths(summary)) == fields_under("orch.at_end")
