"""``orch results``, ``orch status`` and ``orch.load`` say what pandas reads from the raw files."""

import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from thinning import others_in_soak

import orch
from orchestrator.cli.main import call

from .generated import Generated, at_place, generate, in_grid, read_metrics, read_points, read_runs

# Soak tests take all of them.
EXPERIMENTS = others_in_soak(range(300), range(4))
Told = Callable[..., Any]


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], Generated]]:
    """Return a function that generates an experiment once; it need not survive a power cut."""
    folder = tmp_path_factory.mktemp("generated")
    with ExitStack() as locks, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield cache(lambda number: generate(folder / str(number), number, locks))


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """Return a function that returns the JSON that a command prints."""

    def ask(made: Generated, command: str, *words: str) -> Any:
        assert call(made.arguments(command, *words, "--json")) == 0
        return json.loads(capsys.readouterr().out)

    return ask


@pytest.mark.parametrize("number", EXPERIMENTS)
def test_results_of_single_runs(
    experiment: Callable[[int], Generated], number: int, told: Told
) -> None:
    """Of the grid, of the whole experiment, at the end and at an iteration, and by a condition."""
    made = experiment(number)
    runs, ends, at_two = read_runs(made), read_metrics(made), read_metrics(made, 2)
    assert_single(told(made, "results", "--runs", *made.grid), in_grid(runs), ends)
    assert_single(told(made, "results", "--runs", "--all"), runs, ends)
    assert_single(told(made, "results", "--runs", "--at", "2", *made.grid), in_grid(runs), at_two)
    wide = runs[runs["width"] > 16]
    if len(wide):
        where = ("--where", "model.width > 16")
        assert_single(told(made, "results", "--runs", "--all", *where), wide, ends)


def assert_single(found: Any, runs: pd.DataFrame, metrics: dict[str, dict[str, float]]) -> None:
    """Assert that a table with a row per run has these runs, states and metrics."""
    rows = {row["run_ids"][0]: row for row in found["rows"]}
    states = dict(zip(runs["run_id"], runs["state"], strict=True))
    assert {it: row["states"] for it, row in rows.items() if it in states} == {
        it: {state: 1} for it, state in states.items()
    }
    assert all(row["states"] == {"pending": 1} for it, row in rows.items() if it not in states)
    for run_id, row in rows.items():
        shown = {key: float(cell["mean"]) for key, cell in row["metrics"].items()}
        assert shown == pytest.approx(metrics.get(run_id, {}), rel=1e-12, nan_ok=True), run_id


@pytest.mark.parametrize("number", EXPERIMENTS)
@pytest.mark.parametrize("at", [None, 2, "common"])
def test_results_of_rows(
    experiment: Callable[[int], Generated], number: int, at: int | str | None, told: Told
) -> None:
    """Means and deviations over the runs that differ in their seed, their states, and the ranking."""
    made = experiment(number)
    runs, step = in_grid(read_runs(made)), at
    if at == "common":
        last = read_points(made).groupby("run_id")["step"].last()
        reached = last[last.index.isin(runs["run_id"])]
        if reached.empty:
            return
        step = int(reached.min())
    words = [] if at is None else ["--at", str(at)]
    found = told(made, "results", *made.grid, *words)
    assert found["at"] == step
    metrics = read_metrics(made, None if step is None else int(step))
    table = pd.DataFrame(
        [
            {"run_id": it, "key": key, "value": v}
            for it in metrics
            for key, v in metrics[it].items()
        ],
        columns=["run_id", "key", "value"],
    ).merge(runs, on="run_id")
    for row in found["rows"]:
        place = made.place_of(row["overrides"])
        own = at_place(made, runs, place)
        states = Counter(own["state"]) + Counter(pending=row["runs"] - len(own))
        assert row["states"] == dict(states)
        values = at_place(made, table, place)
        assert set(row["metrics"]) == set(values["key"])
        for key, cell in row["metrics"].items():
            assert_cell(cell, values[values["key"] == key]["value"].to_numpy())
    assert len(found["rows"]) >= len(runs.groupby([*made.keys.values()]))
    ranked = [row["metrics"].get(found["sorted_by"]) for row in found["rows"]]
    numbers = [float(cell["mean"]) for cell in ranked if cell and cell["mean"] != "nan"]
    assert numbers == sorted(numbers, reverse=found["better"] != "less")


def assert_cell(cell: dict[str, Any], values: "np.ndarray[Any, Any]") -> None:
    """Assert that a cell has the mean and the deviation of these values."""
    with np.errstate(invalid="ignore"):
        mean, std = values.mean(), values.std(ddof=1) if len(values) > 1 else None
    assert float(cell["mean"]) == pytest.approx(mean, rel=1e-9, nan_ok=True)
    if std is None:
        assert cell["std"] is None
    else:
        assert float(cell["std"]) == pytest.approx(std, rel=1e-6, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("number", EXPERIMENTS)
def test_status(experiment: Callable[[int], Generated], number: int, told: Told) -> None:
    """The states of all runs of the experiment, and by state and condition."""
    made = experiment(number)
    runs = read_runs(made)
    states = dict(zip(runs["run_id"], runs["state"], strict=True))
    shown = {run["run_id"]: run["state"] for run in told(made, "status", "--all")["runs"]}
    assert shown == states
    failed = told(made, "status", "--all", "--state", "failed")["runs"]
    assert {run["run_id"] for run in failed} == set(runs[runs["state"] == "failed"]["run_id"])
    named = told(made, "status", *made.grid)["runs"]
    of_grid = {run["run_id"]: run["state"] for run in named if run["in_grid"]}
    wanted = {it: states[it] for it in in_grid(runs)["run_id"]}
    assert {it: state for it, state in of_grid.items() if it in states} == wanted
    assert {state for it, state in of_grid.items() if it not in states} <= {"pending"}


def is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def leaves_of(key: str, value: object, columns: list[str]) -> dict[str, object]:
    """Return the values at the ends of a value by their keys: those that a frame with these columns has."""
    if isinstance(value, dict | list) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        parts = [leaves_of(f"{key}.{name}", item, columns) for name, item in items]
        return {name: item for part in parts for name, item in part.items()}
    return {key: value} if key in columns and value is not None else {}


@pytest.mark.parametrize("number", EXPERIMENTS)
def test_loaded_frame_and_curves(experiment: Callable[[int], Generated], number: int) -> None:
    """States, configs, metrics and points of all runs, those of unfinished ones as well."""
    made = experiment(number)
    runs = read_runs(made).set_index("run_id")
    if runs.empty:
        return
    grid = orch.load(made.folder / "results/made")
    frame = grid.frame()
    assert list(frame.index) == sorted(runs.index)
    assert dict(frame["state"]) == dict(runs["state"])
    numbers = {"lr": "lr", "model.width": "width", "seed": "seed", "iterations": "iterations"}
    for column, key in numbers.items():
        shown = frame[column] if column in frame else runs[key].iloc[0]
        assert (runs[key] == shown).all()
    of_extra = [column for column in frame if column.split(".")[0] == "extra"]
    for run_id, row in frame[of_extra].iterrows():
        there = {key: value for key, value in row.items() if not is_missing(value)}
        assert there == leaves_of("extra", json.loads(runs.loc[run_id, "extra"]), of_extra), run_id
    for run_id, metrics in read_metrics(made).items():
        assert grid[run_id].metrics == pytest.approx(metrics, rel=1e-12, nan_ok=True)
        assert {key: frame.loc[run_id, key] for key in metrics} == pytest.approx(
            metrics, nan_ok=True
        )
        others = set(frame.columns) - set(metrics) - {"state", "iteration", *numbers, *of_extra}
        assert all(math.isnan(frame.loc[run_id, key]) for key in others)
    order = ["run_id", "key", "step"]
    curves = grid.curves().sort_values(order)[[*order, "value"]].reset_index(drop=True)
    points = read_points(made).sort_values(order)[[*order, "value"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(curves, points, check_dtype=False)
