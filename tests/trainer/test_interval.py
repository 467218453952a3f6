"""A checkpoint is made as often as the user says, and what is in between costs nothing but time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from run_files import checkpoints_of, places_of, points_of, results_of
from user_modules import Interrupted, run_program, sabotage

from trainer.errors import ConfigError
from trainer.interval import Interval, Schedule, parse_interval

if TYPE_CHECKING:
    from pathlib import Path

    from run_files import MakeRun, Start, Train


@pytest.mark.parametrize(
    ("value", "interval"),
    [
        (1, Interval(1)),
        (20, Interval(20)),
        ("30s", Interval(seconds=30)),
        ("0.5s", Interval(seconds=0.5)),
        ("10m", Interval(seconds=600)),
        ("1h30m", Interval(seconds=5400)),
        ("1h2m3s", Interval(seconds=3723)),
        *(
            (wrong, None)
            for wrong in (0, -1, 1.5, True, None, "", "5", "s", "30 s", "0s", "1m1h", [])
        ),
    ],
)
def test_interval_is_a_number_of_iterations_or_a_time(
    value: object, interval: Interval | None
) -> None:
    """In the words in which the orchestrator's times are written."""
    assert parse_interval(value) == interval


def test_time_counts_from_the_last_one_that_was_due() -> None:
    """However long an iteration takes."""
    times = iter([0.0, 3.0, 11.0, 12.0, 21.0, 22.5, 23.0])
    schedule = Schedule(Interval(seconds=10), lambda: next(times))
    assert [schedule.is_due(iteration) for iteration in range(4)] == [False, True, False, True]


@pytest.mark.parametrize("every", [0, "5", "often", 2.5, None])
def test_other_intervals_are_refused(make_run: MakeRun, train: Train, every: object) -> None:
    """Before anything is built, in one line."""
    with pytest.raises(ConfigError, match=r"^checkpoint\.every: .* is neither a number of iter"):
        train(make_run(checkpoint={"every": every}))


def saved(run_dir: Path) -> dict[int, bool]:
    """Return which iterations are saved, and of which only the modules are."""
    found = [torch.load(path, weights_only=True) for path in checkpoints_of(run_dir)]
    return {content["iteration"]: bool(content.get("is_only_best")) for content in found}


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("every", [1, 2, 3, 5, 100, "0.001s", "1h"])
def test_results_do_not_depend_on_how_often_is_saved(
    make_run: MakeRun, train: Train, every: object, mode: str
) -> None:
    """The best iteration is tested, saved or not, and every point is told."""
    runs = []
    for name, checkpoint in (("each", {}), ("some", {"every": every})):
        metric = {"metric": "train/loss", "mode": mode}
        runs.append(make_run(name, iterations=8, checkpoint=metric | checkpoint))
        train(runs[-1])
    each, some = runs
    assert results_of(some) == results_of(each)
    assert places_of(some) == places_of(each)
    best = (some / "checkpoints" / "best.pt").read_bytes()
    model = torch.load(some / "checkpoints" / "best.pt", weights_only=True)["state"]["modules"]
    same = torch.load(each / "checkpoints" / "best.pt", weights_only=True)["state"]["modules"]
    assert best
    assert all(torch.equal(model["model"][key], same["model"][key]) for key in same["model"])
    if every == 3:
        assert saved(some) == ({1: True} if mode == "max" else {}) | {6: False, 8: False}


@pytest.mark.parametrize("event", ["iteration_begin", "step_end", "iteration_end"])
def test_killed_run_goes_on_from_the_last_one_that_is_saved(
    make_run: MakeRun, start: Start, tmp_path: Path, event: str
) -> None:
    """With the same bits, and each point stands there once, with its first time."""
    metric = {"metric": "train/loss", "mode": "max", "every": 3}
    whole = make_run("whole", iterations=8, checkpoint=metric)
    assert start(run_program, str(whole)) == 0
    saboteur = sabotage(tmp_path, event, 8, "kill")
    killed = make_run("killed", iterations=8, checkpoint=metric, curriculum=saboteur)
    assert start(run_program, str(killed)) == -9
    before = points_of(killed)
    assert start(run_program, str(killed)) == 0
    after = [line for line in (killed / "out.log").read_text().splitlines() if "resuming" in line]
    assert after[0].startswith(("resuming after iteration 6, ", "resuming after iteration 3, "))
    assert results_of(killed)["digest"] == results_of(whole)["digest"]
    assert results_of(killed)["test"] == results_of(whole)["test"]
    assert places_of(killed) == places_of(whole)
    assert points_of(killed)[: len(before)] == before


def test_run_that_is_asked_to_stop_is_saved_at_once(
    make_run: MakeRun, start: Start, tmp_path: Path
) -> None:
    """Nothing is lost, though no checkpoint was due."""
    saboteur = sabotage(tmp_path, "step_end", 4, "terminate")
    run_dir = make_run(iterations=8, checkpoint={"every": "1h"}, curriculum=saboteur)
    assert start(run_program, str(run_dir)) == 143
    assert [each for each, is_only_best in saved(run_dir).items() if not is_only_best] == [4]
    assert json.loads((run_dir / "progress.json").read_text())["iteration"] == 4
    assert start(run_program, str(run_dir)) == 0
    assert "\nresuming after iteration 4, " in (run_dir / "out.log").read_text()
    assert len({*places_of(run_dir)}) == len(places_of(run_dir))


def test_interrupted_run_tells_of_what_is_not_saved(
    make_run: MakeRun, train: Train, tmp_path: Path
) -> None:
    """The user sees how far it is; afterwards it goes on from the last checkpoint."""
    changes: dict[str, Any] = {"iterations": 6, "checkpoint": {"every": 4}}
    run_dir = make_run(curriculum=sabotage(tmp_path, "iteration_begin", 4, "raise"), **changes)
    with pytest.raises(Interrupted):
        train(run_dir)
    assert json.loads((run_dir / "progress.json").read_text())["iteration"] == 3
    assert saved(run_dir) == {}
    train(run_dir)
    assert len({*places_of(run_dir)}) == len(places_of(run_dir))


def test_link_in_place_of_the_checkpoints_is_refused(
    make_run: MakeRun, train: Train, tmp_path: Path
) -> None:
    """Before anything is written where it leads to."""
    run_dir = make_run()
    other = tmp_path / "other"
    other.mkdir()
    (run_dir / "checkpoints").symlink_to(other)
    with pytest.raises(ConfigError, match="it is a symbolic link, and links are not followed"):
        train(run_dir)
    assert [*other.iterdir()] == []
