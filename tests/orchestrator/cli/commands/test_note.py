"""``orch note`` keeps a text and tags with a run, and every view of the run shows them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.errors import UsageError

from .conftest import GRID, Grid, leave


def test_note_is_shown_by_every_view(grid: Grid, output: Callable[[], str]) -> None:
    first, second = grid.make(0.1, 0), grid.make(0.2, 0)
    for directory in (first, second):
        leave(directory, **{"test/loss": 0.5})
    arguments = (
        "note",
        first.run_id[:6],
        "lr=0.1 is best",
        "--tag",
        "baseline",
        "--tag",
        "phase=2",
    )
    assert grid.orch(*arguments, *GRID) == 0
    line = "[baseline, phase=2] lr=0.1 is best"
    assert output() == f"{first.run_id[:8]}  {line}\n"
    grid.orch("note", first.run_id)
    assert line in output()
    for command in (["show", first.run_id], ["status"], ["results", "--runs", "--all"]):
        grid.orch(*command)
        assert line in output()
    grid.orch("status", "--json")
    runs: dict[str, Any] = {run["run_id"]: run for run in json.loads(output())["runs"]}
    assert runs[first.run_id]["tags"] == {"baseline": "true", "phase": "2"}
    assert (runs[second.run_id]["note"], runs[second.run_id]["tags"]) == (None, {})
    grid.orch("note", first.run_id, "--untag", "phase", "--remove", "--json")
    assert json.loads(output())["tags"] == {"baseline": "true"}


@pytest.mark.parametrize("overrides", [(), GRID])
@pytest.mark.parametrize(
    ("condition", "lrs"),
    [
        ("tags.baseline == true", [0.1]),
        ("tags.phase >= 2", [0.2]),
        ("tags.phase == 2 & lr > 0.1", [0.2]),
        ('note == "good"', [0.2]),
        ("tags.baseline == true | tags.phase == 2", [0.1, 0.2]),
    ],
)
def test_runs_are_chosen_by_what_is_noted(
    grid: Grid,
    output: Callable[[], str],
    condition: str,
    lrs: list[float],
    overrides: tuple[str, ...],
) -> None:
    first, second = grid.make(0.1, 0), grid.make(0.2, 0)
    for directory in (first, second, grid.make(0.1, 1)):
        leave(directory, **{"test/loss": 0.5})
    grid.orch("note", first.run_id, "--tag", "baseline")
    grid.orch("note", second.run_id, "good", "--tag", "phase=2")
    output()
    grid.orch("status", "--json", "--where", condition, *overrides)
    assert sorted(run["overrides"]["lr"] for run in json.loads(output())["runs"]) == lrs
    grid.orch("results", "--json", "--where", condition, *overrides)
    ids = {run_id for row in json.loads(output())["rows"] for run_id in row["run_ids"]}
    assert len(ids) == len(lrs)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["one text", "and another"], "2 texts"),
        (["a text", "--remove"], "exclude each other"),
        (["--tag", "a", "--untag", "a"], "exclude each other"),
        (["--untag", "a"], "does not have the tag a. It has none"),
        (["--tag", "mlflow.user=me"], "cannot be a tag"),
    ],
)
def test_note_that_makes_no_sense_is_refused(grid: Grid, arguments: list[str], why: str) -> None:
    directory = grid.make(0.1, 0)
    with pytest.raises(UsageError, match=why):
        grid.orch("note", directory.run_id, *arguments)
