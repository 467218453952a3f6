"""The page on the run directory: it has the files that are there, and the fields that are in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from doc_pages import DOCS, read_tables
from sandbox import Sandbox

from orchestrator.rundir import records
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.state import Failure, Record, Status
from orchestrator.tracking.metrics_file_points import START, read_points

PAGE = DOCS / "reference" / "run-directory.md"
TABLES = read_tables(PAGE)
# It stops early, after one iteration. A second run extends the first one.
TRAINING = "+max_epochs=1 +stopping.time_limit=0.001 scheduler=none data.held_out=1500 orch.tracking.enabled=false"
# What is in results.json under names of the user's own, or of the machine.
OPEN = {
    "test",
    "best",
    "final",
    "environment",
    "overrides",
    "given",
    "choices",
    "metrics",
    "extends",
}


def first_column(heading: str) -> list[str]:
    """Return the names that a table is about, without links and marks."""
    return [row[0].split("](")[0].strip("[`/") for row in TABLES[heading]]


@pytest.fixture(scope="module")
def run_dirs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return run directories of the trainer and of another program."""
    folders = []
    for project, overrides in (
        ("demo", f"iterations=2 {TRAINING}"),
        ("toy", "lr=0.1,2 '+out=${hydra:runtime.output_dir}'"),
    ):
        sandbox = Sandbox(tmp_path_factory.mktemp(project), project)
        output, _ = sandbox.run(f"orch run {overrides} --quiet")
        assert "done" in output, output
        if project == "demo":
            output, _ = sandbox.run(f"orch run iterations=3 {TRAINING} --quiet")
            assert "done" in output, output
        if project == "toy":
            output, _ = sandbox.run("orch rerun --where 'lr == 0.1'")
            assert "1 of 1 run is done" in output, output
        folders += list(sandbox.folder.glob("results/*/training/*"))
    return folders


def test_page_has_every_file_of_a_run_directory(run_dirs: list[Path]) -> None:
    """Each file that is there is documented; each documented one is there, or of an app."""
    documented = set(first_column("The run directory"))
    found = {path.name for folder in run_dirs for path in folder.iterdir()}
    assert found <= documented
    # A run of one attempt has none before it.
    assert documented - found == {"earlier", "output", "note.json", "attempts.jsonl"}


def test_page_has_every_file_beside_run_directories(run_dirs: list[Path]) -> None:
    """What stands in the experiment's folder is documented, too."""
    documented = {name.partition("/")[0] for name in first_column("The experiment's folder")}
    found = {path.name for folder in run_dirs for path in folder.parents[1].iterdir()}
    assert found - {"training"} <= documented


def fields_of(content: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield the fields of a record."""
    for key, value in content.items():
        yield f"{path}{key}"
        if isinstance(value, dict) and key not in OPEN:
            yield from fields_of(value, f"{path}{key}.")


@pytest.mark.parametrize(
    "name", ["run.json", "progress.json", "metrics.jsonl", "results.json", "status.json"]
)
def test_page_has_every_field_of_a_record(name: str, run_dirs: list[Path]) -> None:
    """Each field that is written is documented, and each documented one is written."""
    found: set[str] = set()
    for folder in run_dirs:
        path = folder / name
        if path.exists():  # a program that failed leaves no results
            text = path.read_text()
            for record in text.splitlines() if name.endswith("l") else [text]:
                found |= set(fields_of(json.loads(record)))
    assert found == set(first_column(name))


def test_a_program_may_leave_out_what_the_page_does_not_require(tmp_path: Path) -> None:
    """The fields that are marked as required are enough, and without them nothing is read."""
    required = {
        name: {row[0].strip("`") for row in TABLES[name] if row[2].startswith("required")}
        for name in ("progress.json", "metrics.jsonl")
    }
    assert required == {
        "progress.json": {"iteration", "iterations"},
        "metrics.jsonl": {"key", "value", "step"},
    }
    directory = RunDirectory(tmp_path)
    for name, fields in required.items():
        record = {field: "loss" if field == "key" else 1 for field in fields}
        for missing in fields:
            lacking = {field: value for field, value in record.items() if field != missing}
            (tmp_path / name).write_text(json.dumps(lacking) + "\n")
            assert directory.read_progress() is None
            assert not read_points(directory.metrics, START, is_over=True, timeless=0).samples
        (tmp_path / name).write_text(json.dumps(record) + "\n")
        if name == "progress.json":
            assert directory.read_progress() is not None
            (tmp_path / name).unlink()
    assert read_points(directory.metrics, START, is_over=True, timeless=0).samples
    (tmp_path / "results.json").write_text('{"test": {"x": 1.5}}')
    assert directory.outcome().results == {"x": 1.5}


def test_page_has_the_states_that_are_written() -> None:
    """``status.json`` has these words for how an attempt stands, and no others."""
    (row,) = (row for row in TABLES["status.json"] if row[0] == "`state`")
    assert {f"`{record.value}`" for record in Record} == set(
        row[2].replace(" or ", ", ").split(", ")
    )
    status = Status(Record.FAILED, 1, "", "", 1, failure=Failure("error", "x"))
    assert {row[0].strip("`") for row in TABLES["status.json"]} >= set(
        fields_of(json.loads(records.dump_status(status)))
    )
