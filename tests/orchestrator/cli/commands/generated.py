"""Generates experiments of every kind of run, and reads their raw files independently with pandas.

Kinds: finished ones of the trainer and of foreign programs, failed, stopped, killed, live, and pending
ones, runs of another grid, and that extend others, duplicate points, repeated steps, results with the names
of metrics, torn and damaged files. An axis may have values of any type.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import re
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from orchestrator.cli.arguments import parse_arguments
from orchestrator.cli.lookup import source_of
from orchestrator.planning.load import load_plan
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.records import now
from orchestrator.rundir.state import Failure, Record, Status

CONFIG = """\
results_dir: {folder}/results
experiment_id: made
lr: 0.1
extra: 0
iterations: 6
model: {{name: mlp, width: 16}}
checkpoint: {{metric: validation/loss, mode: min}}
seed: 0
orch: {{command: ["true"], tracking: {{enabled: false}}}}
"""
METRICS = ("validation/loss", "train/loss", "validation/accuracy")
ITERATIONS = 6
LONGER = 9
# Values of an axis as they are given, and as tables show them.
VALUES = {
    "true": "true",
    "'true'": '"true"',
    "false": "false",
    "null": "null",
    "'null'": '"null"',
    "1": "1",
    "'1'": '"1"',
    "''": '""',
    "[]": "[]",
    "[1,2]": "[1, 2]",
    "[1,'2',null,true]": '[1, "2", null, true]',
    "'[1, 2]'": '"[1, 2]"',
    "'a,b'": "a,b",
    "'a, b | c & d'": "a, b | c & d",
    "'x=y'": "x=y",
    "{a:1,b:[2]}": '{"a": 1, "b": [2]}',
}


@dataclass
class Generated:
    """An experiment; ``grid`` are the overrides of its grid, ``live`` the runs whose lock is held.

    ``keys`` are the columns of :func:`read_runs` for the axes that are not averaged over, by their key.
    """

    folder: Path
    grid: list[str]
    keys: dict[str, str] = field(default_factory=lambda: {"lr": "lr", "model.width": "width"})
    live: set[str] = field(default_factory=set)

    @property
    def training(self) -> Path:
        return self.folder / "results/made/training"

    def place_of(self, overrides: Mapping[str, Any]) -> tuple[object, ...]:
        """Return the values of a row on these axes as :func:`read_runs` has them."""
        return tuple(
            json.dumps(overrides[key]) if key == "extra" else overrides[key] for key in self.keys
        )

    def arguments(self, command: str, *more: str) -> list[str]:
        return ["--config-dir", str(self.folder / "conf"), command, *more]


def generate(folder: Path, seed: int, locks: ExitStack) -> Generated:
    """Return an experiment with finished, failed, live, stale, pending, duplicate and foreign runs."""
    rng = random.Random(seed)  # noqa: S311 # data, not secrets
    (folder / "conf").mkdir(parents=True)
    (folder / "conf/config.yaml").write_text(CONFIG.format(folder=folder))
    lrs = rng.sample([0.001, 0.01, 0.1, 1.0], rng.randint(2, 3))
    widths = rng.sample([16, 32, 64], 2)
    seeds = list(range(rng.randint(1, 3)))
    # The first value twice, so that there are duplicates.
    grid = [f"lr={','.join(map(str, [*lrs, lrs[0]]))}", f"model.width={','.join(map(str, widths))}"]
    grid.append(f"seed={','.join(map(str, seeds))}")
    made = Generated(folder, grid)
    if rng.random() < 0.6:
        grid.append(f"extra={','.join(rng.sample([*VALUES], 2))}")
        made.keys["extra"] = "extra"
    if rng.random() < 0.4:
        grid.append(f"iterations={ITERATIONS},{LONGER}")
        made.keys["iterations"] = "iterations"
    foreign = ["lr=7.0", f"seed={','.join(map(str, seeds))}"]
    for words in (grid, foreign):
        planned = load_plan(source_of(parse_arguments(made.arguments("plan", *words))))
        planned.experiment.prepare()
        for run in planned.plan.selection.runs:
            if rng.random() < 0.1:
                continue  # it is pending, and has no directory
            path = planned.experiment.create(run).path
            _fill(path, rng, made, locks, _finished_one(path) if rng.random() < 0.7 else None)
    (made.training / "not-a-run").mkdir()
    (made.training / "notes.txt").write_text("mine")
    return made


def _finished_one(path: Path) -> Path | None:
    """Return the shorter run that differs in nothing but its iterations, if it is finished."""
    own = _read_config(path)
    if own.pop("iterations") == ITERATIONS:
        return None
    for other in path.parent.glob("*/results.json"):
        config = _read_config(other.parent)
        if config.pop("iterations") == ITERATIONS and config == own:
            return other.parent
    return None


def _read_config(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((path / "config.yaml").read_text()))


def _fill(
    path: Path, rng: random.Random, made: Generated, locks: ExitStack, extended: Path | None
) -> None:
    """Leave in a run directory what a run of a random kind leaves."""
    rare = ["failed", "stale", "running", "pending", "killed", "torn", "program", "program"]
    kind = rng.choice([*["done"] * 6, *rare])
    if kind == "pending":
        return
    total = int(_read_config(path)["iterations"])
    last = total if kind in ("done", "program") else rng.randint(0, total - 1)
    points = _points(last, rng)
    if extended and kind != "program":
        extended_points = [
            json.loads(line) for line in (extended / "metrics.jsonl").read_text().splitlines()
        ]
        points = [*extended_points, *(each for each in points if each["step"] > ITERATIONS)]
        record = {"run_id": extended.name, "iteration": ITERATIONS}
        (path / "extended.json").write_text(json.dumps(record))
    elif kind == "done" and rng.random() < 0.3:  # a retry from the beginning wrote some twice
        points = [{**point, "value": 9.0} for point in points[: len(points) // 2]] + points
    lines = [json.dumps(point) for point in points]
    if kind == "killed":
        lines.append('{"key": "validation/loss", "va')
    if kind == "program":
        lines[:0] = _points_before(rng)
        _report(path, rng)
    (path / "metrics.jsonl").write_text("\n".join(lines))
    record = {"done": Record.DONE, "failed": Record.FAILED, "stale": Record.INTERRUPTED}
    record["program"] = Record.DONE
    failure = Failure("oom", "out of <memory>") if kind == "failed" else None
    status = Status(record.get(kind, Record.RUNNING), 1, now(), "box", 1, failure=failure)
    RunDirectory(path).write_status(status)
    if kind == "torn":
        status_file = path / "status.json"
        status_file.write_bytes(status_file.read_bytes()[: rng.randint(0, 60)])
    if kind == "done":
        _leave_results(path, rng)
    if kind == "running":
        made.live.add(path.name)
        descriptor = os.open(path / "run.lock", os.O_RDONLY)
        locks.callback(os.close, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _points(last: int, rng: random.Random) -> list[dict[str, Any]]:
    points = []
    for step in range(1, last + 1):
        for key in METRICS:
            value: Any = rng.choice([rng.random(), rng.random() * 1e-9, rng.random() * 1e6])
            if rng.random() < 0.03:
                value = rng.choice(["NaN", "Infinity", "no number"])
            points.append({"key": key, "value": value, "step": step, "timestamp": step})
    return points


def _leave_results(path: Path, rng: random.Random) -> None:
    best = {"iteration": 2, "validation/loss": rng.random()}
    test = {"test/accuracy": rng.random()}
    if rng.random() < 0.3:  # a result with the name of a metric, and one with that of none
        test |= {"train/loss": rng.random(), "final": rng.random()}
    results = {"schema": 1, "best": best, "test": test}
    text = json.dumps(results)
    (path / "results.json").write_text(text[:40] if rng.random() < 0.05 else text)


def _points_before(rng: random.Random) -> list[str]:
    """Return the first lines of a program: metrics that it logs rarely, or that become text."""
    points = [{"key": "parameters", "value": rng.randint(1, 9), "step": 0, "timestamp": 0}]
    if rng.random() < 0.3:  # the end of the file, which suffices for most, lacks them
        points += [
            {"key": "gradient", "value": step / 7, "step": step, "timestamp": step}
            for step in range(1, 1200)
        ]
    points.append({"key": "phase", "value": "warm-up", "step": 1, "timestamp": 1})
    points.append({"key": "mixed", "value": rng.random(), "step": 1, "timestamp": 1})
    points.append({"key": "mixed", "value": "over", "step": 2, "timestamp": 2})
    return [json.dumps(point) for point in points]


def _report(path: Path, rng: random.Random) -> None:
    """Leave progress, with metrics that the points lack, and values that are not metrics."""
    metrics = {"epochs": rng.randint(1, 9), "train/loss": rng.choice([0.5, None, "NaN", "n/a"])}
    progress = {"iteration": ITERATIONS, "iterations": ITERATIONS, "metrics": metrics}
    text = json.dumps(progress)
    (path / "progress.json").write_text(text[:30] if rng.random() < 0.2 else text)


def read_override(word: str) -> object:
    """Return the value that a word of :data:`VALUES` stands for."""
    return yaml.safe_load(re.sub(r"([:,])", r"\1 ", word) if word[0] in "[{" else word)


def read_runs(made: Generated) -> pd.DataFrame:
    """Return one row per run directory, read from the raw files by other code than the program's."""
    rows = []
    for path in sorted(made.training.iterdir()):
        if not (path / "run.json").is_file():
            continue
        config = yaml.safe_load((path / "config.yaml").read_text())
        state = "pending"
        if (path / "status.json").exists():
            state = parsed(path / "status.json").get("state", "stale")
        if path.name in made.live:
            state = "running"
        elif state in ("running", "interrupted"):
            state = "stale"
        found = {"best": {}, "test": {}} | parsed(path / "results.json")
        rows.append(
            {
                "run_id": path.name,
                "state": state,
                "lr": config["lr"],
                "width": config["model"]["width"],
                "seed": config["seed"],
                "extra": json.dumps(config["extra"]),
                "iterations": config["iterations"],
                "best": found["best"].get("validation/loss"),
                "test": found["test"].get("test/accuracy"),
            }
        )
    columns = ["run_id", "state", "lr", "width", "seed", "extra", "iterations", "best", "test"]
    return pd.DataFrame(rows, columns=columns)


def parsed(path: Path) -> dict[str, Any]:
    """Return the content of a record; an empty one if it is missing or torn."""
    with suppress(OSError, ValueError):
        return dict(json.loads(path.read_text()))
    return {}


def read_metrics(made: Generated, step: int | None = None) -> dict[str, dict[str, float]]:
    """Return the metrics of runs by run ID: of finished ones at the end, or of all at a step.

    Of one metric, test results win, then the progress, then the last point. The value at the best
    iteration has a name of its own.
    """
    points = read_points(made)
    if step is not None:
        points = points[(points["step"] == step) & ~points["key"].str.startswith("test")]
    last = points.drop_duplicates(["run_id", "key"], keep="last")
    found = {
        run_id: dict(zip(rows["key"], rows["value"], strict=True))
        for run_id, rows in last.groupby("run_id")
    }
    runs = read_runs(made)
    if step is not None:
        return {run_id: found.get(run_id, {}) for run_id in runs["run_id"]}
    done = runs[runs["state"] == "done"]["run_id"]
    return {run_id: _at_the_end(made.training / run_id, found.get(run_id, {})) for run_id in done}


def _at_the_end(path: Path, last: dict[str, float]) -> dict[str, float]:
    results = parsed(path / "results.json")
    best = {f"best/{key}": value for key, value in results.get("best", {}).items()}
    best.pop("best/iteration", None)
    reported = parsed(path / "progress.json").get("metrics", {})
    told = {key: value for key, value in reported.items() if value is not None}
    logged = {**last, **told}
    tested = {
        f"test/{key}" if key in logged and not key.startswith("test/") else key: value
        for key, value in results.get("test", {}).items()
    }
    merged = {**best, **logged, **tested}
    numbers = pd.to_numeric(pd.Series(merged, dtype=object).replace("NaN", np.nan), errors="coerce")
    is_text = [isinstance(value, str) and value != "NaN" for value in merged.values()]
    return dict(numbers[[not text for text in is_text]])


def read_points(made: Generated) -> pd.DataFrame:
    """Return all points of all runs; of one step of a metric, the last."""
    frames = []
    for path in made.training.glob("*/metrics.jsonl"):
        complete = [line for line in path.read_text().split("\n") if line.endswith("}")]
        frame = pd.DataFrame(
            [json.loads(line) for line in complete], columns=["key", "value", "step"]
        )
        frame["run_id"] = path.parent.name
        frames.append(frame)
    if not frames:
        return pd.DataFrame(columns=["key", "value", "step", "run_id"])
    points = pd.concat(frames)
    points = points[~points["value"].isin(["no number", "warm-up", "over"])]
    points["value"] = points["value"].astype(float)
    return points.drop_duplicates(["run_id", "key", "step"], keep="last")


def in_grid(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs that the grid names; the foreign ones have a learning rate of their own."""
    return runs[runs["lr"] != 7.0]


def at_place(made: Generated, runs: pd.DataFrame, place: tuple[object, ...]) -> pd.DataFrame:
    """Return the runs with these values on the axes."""
    chosen = runs
    for column, value in zip(made.keys.values(), place, strict=True):
        chosen = chosen[chosen[column] == value]
    return chosen
