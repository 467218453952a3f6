"""A run that is killed at random moments ends with the same bits as one that never was."""

from __future__ import annotations

import itertools
import os
from contextlib import suppress
from itertools import combinations, product
from random import Random
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import pytest
from run_files import MakeRun, Start, places_of, results_of
from user_modules import run_program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from run_files import Launch

ADAM = {"_target_": "torch.optim.Adam", "lr": 0.01, "fused": True}
SGD = {"_target_": "torch.optim.SGD", "lr": 0.1, "momentum": 0.9, "fused": True}
SAM = {
    "_target_": "trainer.optimizers.sam.Sam",
    "lr": 0.1,
    "base": {"_target_": "torch.optim.SGD", "_partial_": True, "momentum": 0.9},
}
COSINE = {"_target_": "torch.optim.lr_scheduler.CosineAnnealingLR", "T_max": 3}
PLATEAU = {"_target_": "torch.optim.lr_scheduler.ReduceLROnPlateau", "patience": 0}
PACED = {
    "_target_": "trainer.curriculum.paced.PacedCurriculum",
    "scores": {"_target_": "trainer.curriculum.scores.RandomScores"},
    "initial": 0.3,
    "full_at": 3,
}
AXES: dict[str, list[Any]] = {
    "model__dropout": [0.0, 0.4],
    "data": [{"_target_": "user_modules.Tiny"}, {"_target_": "user_modules.Noisy"}],
    "dataloader": [{"num_workers": 0}, {"num_workers": 2}],
    "training_type": ["epoch", "step"],
    "optimizer": [ADAM, SGD, SAM],
    "curriculum": [None, {"_target_": "user_modules.Counter"}, PACED],
    "scheduler": [None, COSINE, PLATEAU],
}
KILLS = 2
ENOUGH = 300
NOISY = {"_target_": "user_modules.Noisy"}
EMA = {"decay": 0.9, "from_iteration": 2}
BY_LENGTH = {"batch_sampler": {"_target_": "samplers.ByLength"}}
BALANCED = {"batch_sampler": {"_target_": "samplers.Balanced"}}
# What no axis has: keys that came later, alone and together.
WAYS: dict[str, dict[str, Any]] = {
    "float16": {"precision": "float16", "clip_norm": 0.5},
    "bfloat16": {"precision": "bfloat16", "accumulate": 2, "model__dropout": 0.4},
    "average": {"ema": EMA},
    "average in float16": {"ema": EMA, "precision": "float16", "data": NOISY},
    "stream": {"data": {"_target_": "streaming.Streams", "how": "noisy"}},
    "stream of a worker": {
        "data": {"_target_": "streaming.Streams", "how": "buffered"},
        "dataloader": {"num_workers": 1},
        "training_type": "step",
    },
    "several optimizers": {
        "model": {
            "_target_": "adversaries.Adversaries",
            "critic_optimizer": {"_target_": "torch.optim.Adam", "lr": 0.01, "_partial_": True},
        },
    },
    "by length": {"dataloader": BY_LENGTH, "data": NOISY},
    "balanced, with workers": {"dataloader": BALANCED | {"num_workers": 2}, "data": NOISY},
    "within": {"checkpoint": {"within_iteration": 1}, "model__dropout": 0.4},
    "within a stream": {
        "checkpoint": {"within_iteration": 2},
        "data": {"_target_": "streaming.Streams", "how": "noisy"},
    },
    "within, all at once": {
        "checkpoint": {"within_iteration": 1},
        "dataloader": BALANCED | {"num_workers": 1},
        "data": NOISY,
        "precision": "float16",
        "ema": EMA,
        "scheduler": {
            "_target_": "torch.optim.lr_scheduler.OneCycleLR",
            "max_lr": 0.2,
            "total_steps": 60,
        },
    },
    "rarely": {"checkpoint": {"every": 3}, "scheduler": PLATEAU},
    "patience": {"stopping": {"patience": 2, "metric": "validation/loss"}, "optimizer": ADAM},
    "split": {"data": {"_target_": "unsplit.Unsplit"}, "validation_split": {"size": 0.2}},
    "two ranks": {"world_size": 2, "device": "cpu", "model__dropout": 0.4},
    "two ranks, by length": {
        "world_size": 2,
        "device": "cpu",
        "dataloader": BY_LENGTH,
        "data": NOISY,
        "ema": EMA,
    },
}


def grid() -> list[tuple[int, ...]]:
    """Return every point of the axes, as the numbers of its choices, in a random order."""
    points = [*product(*(range(len(choices)) for choices in AXES.values()))]
    Random(0).shuffle(points)  # noqa: S311 - no secret
    return points


def pairs_of(point: tuple[int, ...]) -> set[tuple[tuple[int, int], ...]]:
    """Return every two choices that meet in a point."""
    return {*combinations(enumerate(point), 2)}


def covering() -> Iterator[tuple[int, ...]]:
    """Yield few points in which every two choices of different axes meet."""
    points = grid()
    missing = set().union(*map(pairs_of, points))
    while missing:
        point = max(points, key=lambda each: len(pairs_of(each) & missing))
        missing -= pairs_of(point)
        yield point


def wait_for_group(group: int) -> None:
    """Wait until no process of a group is left: ranks end with the process that forked them."""
    end = monotonic() + 10
    with suppress(ProcessLookupError):
        while monotonic() < end:
            os.killpg(group, 0)
            sleep(0.002)


def kill_and_resume(
    run_dir: Path, start: Start, launch: Launch, random: Random, duration: float, kills: int
) -> int:
    """Kill a run this many times at random moments, let it end, and count the kills that hit."""
    hits = 0
    for _ in range(kills):
        process = launch(run_program, str(run_dir))
        process.join(random.uniform(0, duration))
        process.kill()
        process.join()
        wait_for_group(process.pid or 0)
        hits += process.exitcode == -9
    assert start(run_program, str(run_dir)) == 0, (run_dir / "err.log").read_text()
    return hits


def check(
    point: tuple[int, ...],
    make_run: MakeRun,
    start: Start,
    launch: Launch,
    kills: int = KILLS,
    *,
    turn: int = 0,
) -> int:
    """Compare a run that is killed with one that is not, and count the kills that hit."""
    changes = {key: AXES[key][choice] for key, choice in zip(AXES, point, strict=True)}
    name = "-".join(map(str, (*point, turn)))
    return compare(name, changes | {"iterations": 3}, make_run, start, launch, kills)


def compare(
    name: str,
    changes: dict[str, Any],
    make_run: MakeRun,
    start: Start,
    launch: Launch,
    kills: int,
) -> int:
    """Do that for a run with some keys changed."""
    whole, killed = (make_run(f"{name}-{end}", **changes) for end in "ab")
    begun = monotonic()
    assert start(run_program, str(whole)) == 0
    duration = monotonic() - begun
    hits = kill_and_resume(killed, start, launch, Random(name), duration, kills)  # noqa: S311
    assert results_of(killed)["digest"] == results_of(whole)["digest"]
    assert results_of(killed)["test"] == results_of(whole)["test"]
    assert places_of(killed) == places_of(whole)
    return hits


@pytest.mark.parametrize("point", [*covering()])
def test_killed_run_ends_with_the_same_digest(
    make_run: MakeRun, start: Start, launch: Launch, point: tuple[int, ...]
) -> None:
    """Every two choices meet: of dropout, data, workers, kind of iteration, optimizer, schedule."""
    check(point, make_run, start, launch, kills=1)


@pytest.mark.soak
@pytest.mark.parametrize("name", WAYS)
def test_killed_run_of_a_later_way_ends_with_the_same_digest(
    make_run: MakeRun, start: Start, launch: Launch, name: str
) -> None:
    """At least as many kills hit as `WAY_KILLS` in the environment says."""
    enough, hits = int(os.environ.get("WAY_KILLS", "12")), 0
    for turn in itertools.count():
        hits += compare(f"{turn}", WAYS[name] | {"iterations": 6}, make_run, start, launch, 3)
        print(f"{hits} kills")
        if hits >= enough:
            break


@pytest.mark.soak
def test_three_hundred_kills_make_no_difference(
    make_run: MakeRun, start: Start, launch: Launch
) -> None:
    """Every combination of all choices; several times, if a round of them has too few kills that hit.

    `KILL_POINTS` in the environment takes fewer combinations, evenly spread, and `KILLS` kills each of
    them more often.
    """
    points = grid()
    count = int(os.environ.get("KILL_POINTS", len(points)))
    kills = int(os.environ.get("KILLS", KILLS))
    chosen = [points[number * len(points) // count] for number in range(count)]
    hits = 0
    for turn in itertools.count():
        for point in chosen:
            hits += check(point, make_run, start, launch, kills, turn=turn)
            print(f"{hits} kills")
        if hits >= ENOUGH:
            break
