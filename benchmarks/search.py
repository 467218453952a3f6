"""Compares searches with Optuna alone on public test functions, and measures a proposal.

``python benchmarks/search.py [SEEDS]`` prints a table, with 0 seeds the proposals only; ``README.md``
tells how it is measured.
"""

from __future__ import annotations

import json
import logging
import math
import random
import statistics
import sys
import tempfile
import time
import warnings
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

import optuna

from orchestrator.config.halving_settings import parse_halving
from orchestrator.config.search_settings import SearchSettings
from orchestrator.grid.search_space import Dimension, SearchSpace
from orchestrator.planning.load import ConfigSource, describe
from orchestrator.planning.proposals import PointOutcome, TriedPoint, propose
from orchestrator.planning.search import Search
from orchestrator.planning.search_members import SearchMembers
from orchestrator.rundir.records import now
from orchestrator.rundir.state import Record, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestrator.grid.config_values import Value
    from orchestrator.rundir.directory import RunDirectory

BUDGET: Final = 60
_A: Final = (
    (10, 3, 17, 3.5, 1.7, 8),
    (0.05, 10, 17, 0.1, 8, 14),
    (3, 3.5, 1.7, 10, 17, 8),
    (17, 8, 0.05, 10, 0.1, 14),
)
_P: Final = (
    (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886),
    (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991),
    (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650),
    (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381),
)
_C: Final = (1.0, 1.2, 3.0, 3.2)
CONFIG: Final = """\
results_dir: {folder}/results
experiment_id: e
a: 0
b: 0
c: 0
d: 0
kind: x
orch: {{command: ["true"], search: {{metric: loss, points: 2000}}}}
hydra:
  sweeper:
    params:
      a: interval(0,1)
      b: interval(0,1)
      c: tag(log,interval(0.001,1))
      d: int(interval(1,100))
      kind: x,y,z
"""


def branin(x: Sequence[float]) -> float:
    """Branin; its minimum is 0.397887."""
    term = x[1] - 5.1 / (4 * math.pi**2) * x[0] ** 2 + 5 / math.pi * x[0] - 6
    return term**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x[0]) + 10


def hartmann6(x: Sequence[float]) -> float:
    """Hartmann in six dimensions; its minimum is -3.32237."""
    rows = zip(_A, _P, _C, strict=True)
    return -sum(
        c * math.exp(-sum(a * (xi - p) ** 2 for a, p, xi in zip(row, ps, x, strict=True)))
        for row, ps, c in rows
    )


def rosenbrock(x: Sequence[float]) -> float:
    """Rosenbrock in four dimensions; its minimum is 0."""
    return sum(100 * (b - a**2) ** 2 + (1 - a) ** 2 for a, b in pairwise(x))


FUNCTIONS: Final = (
    ("Branin", branin, ((-5.0, 10.0), (0.0, 15.0))),
    ("Hartmann 6", hartmann6, ((0.0, 1.0),) * 6),
    ("Rosenbrock 4", rosenbrock, ((-2.0, 2.0),) * 4),
)


def best_of_ours(
    function: Callable[[Sequence[float]], float], ends: Sequence[tuple[float, float]], seed: int
) -> float:
    """Return the best value of a search, which makes its study again for each point."""
    space = SearchSpace(tuple(Dimension(f"x{at}", *it) for at, it in enumerate(ends)))
    settings = SearchSettings("loss", BUDGET, seed=seed)
    trials: list[TriedPoint] = []
    seen: set[str] = set()
    for _ in range(BUDGET):
        point = propose(
            space, settings, trials, lambda it: repr(it) not in seen, is_maximized=False
        )
        places = space.places_of(point or {}) or ()
        seen.add(repr(point))
        trials.append(TriedPoint(places, PointOutcome.MEASURED, function(places)))
    return min(trial.value for trial in trials)


def best_of_optuna(
    function: Callable[[Sequence[float]], float], ends: Sequence[tuple[float, float]], seed: int
) -> float:
    """Return the best value of Optuna's own loop with its default sampler."""
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(
        lambda trial: function([trial.suggest_float(f"x{at}", *it) for at, it in enumerate(ends)]),
        n_trials=BUDGET,
    )
    return float(study.best_value)


def compare(seeds: int) -> None:
    """Print the medians and quartiles over seeds of both, per function."""
    for name, function, ends in FUNCTIONS:
        for who, best in (("orch", best_of_ours), ("Optuna alone", best_of_optuna)):
            found = sorted(best(function, ends, seed) for seed in range(seeds))
            low, middle, high = statistics.quantiles(found, n=4)
            print(f"{name:<14}{who:<14} {middle:9.4f}  ({low:.4f} to {high:.4f})", flush=True)


def measure_proposal(runs: int, *, are_paused: bool) -> None:
    """Print how long the next proposal takes after this many runs that are finished, or halved."""
    with tempfile.TemporaryDirectory() as name:
        Path(name, "config.yaml").write_text(CONFIG.format(folder=name), encoding="utf-8")
        described, experiment = describe(ConfigSource(Path(name), "config"))
        experiment.prepare()
        space, settings = described.search, described.settings.search
        if space is None or settings is None:
            raise SystemExit("the config is not a search")
        for at, run in enumerate(SearchMembers(described, space, experiment).select(_draw(runs))):
            _leave(experiment.create(run), math.sin(at), is_paused=are_paused)
        halving = parse_halving("loss:min:3", "halving") if are_paused else None
        search = Search(described, space, settings, experiment, halving)
        seconds, busy = [], []
        for _ in range(6):
            began, before = time.perf_counter(), time.process_time()
            search.supply(print)
            seconds.append(time.perf_counter() - began)
            busy.append(time.process_time() - before)
        rest, processor = statistics.median(seconds[1:]), statistics.median(busy[1:])
        what = "paused" if are_paused else "finished"
        print(
            f"{runs:,} {what} runs: the first proposal {seconds[0]:.2f} s, the next {rest:.2f} s, of"
            f" which {processor:.2f} s of the processor",
            flush=True,
        )


def _draw(count: int) -> list[dict[str, Value]]:
    chance = random.Random(0)  # noqa: S311 # no secret
    return [
        {
            "a": round(chance.random(), 6),
            "b": round(chance.random(), 6),
            "c": round(10 ** -(3 * chance.random()), 6),
            "d": chance.randint(1, 100),
            "kind": chance.choice("xyz"),
        }
        for _ in range(count)
    ]


def _leave(directory: RunDirectory, loss: float, *, is_paused: bool) -> None:
    """Leave what a run does that has finished, or has paused after its first iteration."""
    record = Record.INTERRUPTED if is_paused else Record.DONE
    directory.write_status(Status(record, 1, now(), "box", 1, ended_at=now(), exit_code=0))
    if is_paused:
        progress = {"iteration": 1, "iterations": 9}
        (directory.path / "progress.json").write_text(json.dumps(progress), encoding="utf-8")
        point = {"key": "loss", "value": loss, "step": 1, "timestamp": 1}
        directory.metrics.write_text(json.dumps(point) + "\n", encoding="utf-8")
    else:
        results = {"test": {"loss": loss}}
        (directory.path / "results.json").write_text(json.dumps(results), encoding="utf-8")


def main() -> None:
    """Measure everything and print it."""
    optuna.logging.set_verbosity(logging.WARNING)
    warnings.simplefilter("ignore")
    for are_paused in (False, True):
        measure_proposal(1_000, are_paused=are_paused)
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    if seeds:
        compare(seeds)


if __name__ == "__main__":
    main()
