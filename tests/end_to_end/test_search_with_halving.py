"""A search whose runs are compared at rungs: whole programs, also killed at random moments."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from forked_orch import run_orch

if TYPE_CHECKING:
    from collections.abc import Sequence

pytest.importorskip("optuna")

POINTS = 9
LENGTH = 6  # iterations, so that the rungs of the factor 3 are after 1 and 3
CONFIG = """\
results_dir: results
experiment_id: e
x: 0
kind: a
iterations: {length}
orch:
  command: [{python}, {folder}/program.py, "{{x}}", "{{kind}}", "{{iterations}}"]
  workers: 2
  tracking: {{enabled: false}}
  search: {{metric: loss, points: {points}, seed: 1}}
  halving: {{metric: loss, mode: min, factor: 3}}
hydra: {{sweeper: {{params: {{x: "interval(-5,10)", kind: "a,b"}}}}}}
"""
PROGRAM = """\
import json, os, sys
import orch
run = orch.current()
x, kind, length = float(sys.argv[1]), sys.argv[2], int(sys.argv[3])
first, loss = 0, 1.0
if checkpoint := run.checkpoint():
    first, loss = json.loads(checkpoint.read_text())
for step in range(first, length):
    loss = loss / 2 + abs(x - 3) / (step + 2) + (kind == "b")
    with open("executed.txt", "a") as log:
        log.write(f"{run.id} {step + 1}\\n")
    run.log({"loss": loss}, step=step)
    (run.dir / "checkpoints").mkdir(exist_ok=True)
    new = run.dir / "checkpoints" / "state.json.tmp"
    new.write_text(json.dumps([step + 1, loss]))
    new.replace(new.with_suffix(""))
    run.progress(step + 1, length)
    if run.stop_requested:
        run.stop()
run.finish({"loss": loss})
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a project with a halved search for nine points."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "program.py").write_text(PROGRAM)
    _configure(tmp_path, POINTS)
    return tmp_path


def _configure(folder: Path, points: int) -> None:
    text = CONFIG.format(python=sys.executable, folder=folder, points=points, length=LENGTH)
    (folder / "conf/config.yaml").write_text(text)


def _orch(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run_orch(*words, folder=folder)


def _json(folder: Path, *words: str) -> Any:
    return json.loads(_orch(folder, *words, "--json").stdout)


def _curves(folder: Path) -> dict[str, dict[int, float]]:
    """Return the loss after each iteration of each run."""
    found = {}
    for directory in (folder / "results/e/training").iterdir():
        if directory.name[0] != ".":
            lines = (directory / "metrics.jsonl").read_text().splitlines()
            points = [it for it in map(json.loads, lines) if it["key"] == "loss"]
            found[directory.name] = {it["step"] + 1: it["value"] for it in points}
    return found


def _survivors(curves: dict[str, dict[int, float]], rungs: Sequence[int]) -> set[str]:
    left = sorted(curves)
    for rung in rungs:
        left = sorted(left, key=lambda it: (curves[it][rung], it))[: max(1, len(left) // 3)]
    return set(left)


def test_best_runs_of_all_points_go_on_from_rung_to_rung(folder: Path) -> None:
    """The others are paused, and a search without halving finishes them."""
    done = _orch(folder, "run")
    assert (done.returncode, done.stderr) == (0, "")
    assert "after iteration 1, the best 3 of 9 runs go on" in done.stdout
    assert "1 of 9 runs are done, 8 paused by halving" in done.stdout
    curves = _curves(folder)
    assert sorted(max(it) for it in curves.values()) == [1] * 6 + [3] * 2 + [LENGTH]
    best = {it for it, curve in curves.items() if max(curve) == LENGTH}
    assert best == _survivors(curves, (1, 3))
    assert "Nothing to do: 1 of 9 runs are done, 8 paused" in _orch(folder, "run").stdout
    status = _json(folder, "status")
    assert status["halving"]["rungs"][0] == {
        "iteration": 1,
        "runs": 9,
        "arrived": 9,
        "failed": 0,
        "best": 3,
        "unevenness": "",
    }
    assert sum(it["halving"]["verdict"] == "paused" for it in status["runs"]) == 8
    assert _json(folder, "plan")["search"]["best"]["run_id"] in best
    whole = _orch(folder, "run", "--halving", "none", "--quiet")
    assert "9 of 9 runs are done" in whole.stdout
    assert len((folder / "executed.txt").read_text().split("\n")) == 9 * LENGTH + 1


def test_search_that_has_not_begun_says_what_it_will_cost(folder: Path) -> None:
    """With the runs that are still to be chosen."""
    told = _orch(folder, "plan").stdout
    assert "halving by loss, min: 9 to iteration 1, 3 to iteration 3, 1 to the end, 6" in told
    assert "about 18 iterations are left, 33% of the 54 of all runs" in told
    further = "3 further (how many iterations they have is not known yet)\n"
    assert f"halving by loss, min: 9 to iteration 1, {further}" in _orch(folder, "run").stdout


@pytest.mark.soak
def test_more_points_are_compared_with_those_before(folder: Path) -> None:
    """The runs that were paused go on if they are now among the best."""
    assert _orch(folder, "run", "--quiet").returncode == 0
    more = _orch(folder, "run", "--quiet", "orch.search.points=12")
    assert more.returncode == 0, more.stderr
    curves = _curves(folder)
    assert len(curves) == 12
    best = _survivors(curves, (1, 3))
    assert all(max(curves[it]) == LENGTH for it in best)


def test_small_space_is_compared_without_the_points_that_it_does_not_have(folder: Path) -> None:
    """Their rung would never be complete."""
    words = ["x=range(-1,2)", '_filters=["kind == \\"b\\" ! x < 0"]']
    for _ in range(2):
        done = _orch(folder, "run", *words)
        assert done.returncode == 0, done.stderr
    assert "1 of 5 runs are done, 4 paused" in done.stdout
    curves = _curves(folder)
    assert {it for it in curves if max(curves[it]) == LENGTH} == _survivors(curves, (1, 3))


@pytest.mark.soak
def test_runs_go_on_before_all_points_are_chosen_if_they_need_not_wait(folder: Path) -> None:
    """As many go on as are among the best third at some time, and one at least to the end."""
    done = _orch(folder, "run", "--halving", "loss:min:3:async", "orch.search.points=12")
    assert done.returncode == 0, done.stderr
    curves = _curves(folder)
    lengths = [max(it) for it in curves.values()]
    assert len(lengths) == 12
    assert set(lengths) <= {1, 3, LENGTH}
    assert 4 <= sum(it > 1 for it in lengths) < 12
    assert LENGTH in lengths
    order = [line.split() for line in (folder / "executed.txt").read_text().splitlines()]
    beyond = next(at for at, (_, step) in enumerate(order) if step == "2")
    assert any(step == "1" for _, step in order[beyond:])


@pytest.mark.soak
def test_two_processes_halve_one_search_together(folder: Path) -> None:
    """Never a point twice, never more than asked for, and the best of all points go on."""
    command = [sys.executable, "-m", "orchestrator", "run", "--quiet"]
    with (
        subprocess.Popen(command, cwd=folder) as one,
        subprocess.Popen(command, cwd=folder) as two,
    ):
        assert [one.wait(), two.wait()] == [0, 0]
    curves = _curves(folder)
    assert len(curves) == POINTS
    assert {it for it in curves if max(curves[it]) == LENGTH} == _survivors(curves, (1, 3))
    assert len((folder / "executed.txt").read_text().split()) == 2 * sum(map(len, curves.values()))


def test_metric_that_is_not_there_at_a_rung_ends_the_search_with_one_line(folder: Path) -> None:
    """One that is only known at the end says nothing of runs that pause."""
    done = _orch(folder, "run", "--quiet", "orch.search.metric=test/error")
    assert done.returncode == 2
    told = (
        "orch.search.metric: runs have come to a rung, and none reports 'test/error'. Choose one of"
    )
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


def _kill_at_random(folder: Path, kills: int, chance: random.Random) -> int:
    """Kill the command repeatedly, alone or with its runs, after it has got a little further.

    Return how often it was killed: fewer times if it ended before.
    """
    command = [sys.executable, "-m", "orchestrator", "run", "--quiet"]
    executed = folder / "executed.txt"
    for number in range(kills):
        before = executed.stat().st_size if executed.exists() else 0
        wanted, until = before + chance.choice([-1, 0, 1, 40]), time.monotonic() + 60
        process = subprocess.Popen(command, cwd=folder, start_new_session=True)
        while process.poll() is None and time.monotonic() < until:
            if (executed.stat().st_size if executed.exists() else 0) > wanted:
                break
            time.sleep(0.002)
        time.sleep(chance.choice([0, 0.01, 0.05]))  # at a moment of the next iterations
        if process.poll() is not None:
            return number
        process.send_signal(signal.SIGKILL)
        if chance.random() < 0.5:
            _kill_children(folder)
        process.wait()
    return kills


def _kill_children(folder: Path) -> None:
    """Kill all processes that work in a folder, in any order."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                here = (entry / "cwd").readlink() == folder
            except OSError:
                continue
            if here:
                try:
                    os.kill(int(entry.name), signal.SIGKILL)
                except ProcessLookupError:
                    continue


@pytest.mark.parametrize(
    ("points", "kills", "halving"),
    [
        pytest.param(9, 3, "loss:min:3", id="three kills"),
        *(
            pytest.param(60, 20, halving, id=f"20 kills, {halving}", marks=pytest.mark.soak)
            for halving in ("loss:min:3", "loss:min:3:async", "none")
        ),
    ],
)
def test_killed_search_ends_with_its_points_and_the_best_of_them(
    folder: Path, points: int, kills: int, halving: str
) -> None:
    """Never a point twice, never more than asked for, and no iteration that was saved is repeated."""
    _configure(folder, points)
    config = folder / "conf/config.yaml"
    if halving != "loss:min:3":
        lines = config.read_text().replace("{metric: loss, mode: min, factor: 3}", f'"{halving}"')
        config.write_text(lines)
    assert _kill_at_random(folder, kills, random.Random(kills)) == kills  # noqa: S311 # no secret
    done = _orch(folder, "run", "--quiet")
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "left" not in done.stdout
    curves = _curves(folder)
    identities = [
        json.loads((folder / "results/e/training" / it / "run.json").read_text()) for it in curves
    ]
    assert len(identities) == points
    assert len({json.dumps(it["overrides"]) for it in identities}) == points
    ends = {it for it in curves if max(curves[it]) == LENGTH}
    if halving == "none":
        assert len(ends) == points
    elif halving.endswith("async"):
        assert ends
    else:
        assert ends == _survivors(curves, (1, 3))
