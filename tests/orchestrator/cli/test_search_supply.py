"""Tests of orchestrator.cli.search_supply: a search as a whole, killed and typed again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from forked_orch import run_orch

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("optuna")

CONFIG = """\
results_dir: results
experiment_id: e
x: 0
kind: a
orch:
  command: [{python}, ../program.py, "{{x}}", "{{kind}}"]
  workers: 2
  tracking: {{enabled: false}}
  search: {{metric: loss, points: {points}, seed: 1}}
hydra: {{sweeper: {{params: {{x: "interval(-5,10)", kind: "a,b"}}}}}}
"""
PROGRAM = """\
import json, os, sys
with open("executed.txt", "a") as log:
    log.write(os.environ["ORCH_RUN_ID"] + "\\n")
loss = (float(sys.argv[1]) - 3) ** 2 + (sys.argv[2] == "b")
with open(os.environ["ORCH_RUN_DIR"] + "/results.json", "w") as file:
    json.dump({"test": {"loss": loss}}, file)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a project with a search for six points."""
    (tmp_path / "conf").mkdir()
    _configure(tmp_path, 6)
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path


def _configure(folder: Path, points: int) -> None:
    text = CONFIG.format(python=sys.executable, points=points).replace("../", f"{folder}/")
    (folder / "conf/config.yaml").write_text(text)


def _executed(folder: Path) -> list[str]:
    return (folder / "executed.txt").read_text().split()


def _orch(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run_orch(*words, folder=folder)


def test_search_is_executed_to_its_end_and_not_beyond(folder: Path) -> None:
    """The same command again has nothing to do; with more points it goes on."""
    done = _orch(folder, "run", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert "6 of 6 runs are done" in done.stdout
    assert len(set(_executed(folder))) == len(_executed(folder)) == 6
    assert "Nothing to do" in _orch(folder, "run").stdout
    last = json.loads(
        _orch(folder, "run", "--json", "orch.search.points=8").stdout.splitlines()[-1]
    )
    assert (last["event"], last["runs"], last["done"], last["left"]) == ("finished", 8, 8, 0)
    plan = json.loads(_orch(folder, "plan", "--json", "orch.search.points=9").stdout)
    assert (plan["search"]["tried"], plan["search"]["points"], len(plan["runs"])) == (8, 9, 9)
    told = _orch(folder, "plan", "orch.search.points=9").stdout
    assert "search: 8 of 9 points tried; the best loss is" in told
    told = _orch(folder, "plan", "orch.search.points=5").stdout
    assert "search: 8 points tried, more than the 5 of orch.search.points; the best loss is" in told
    some = _orch(folder, "run", "--only", "x > -9", "orch.search.points=9").stdout
    assert "Nothing to do: all 8 runs" in some


def test_metric_that_is_missing_ends_the_search_with_one_line(folder: Path) -> None:
    """The runs that were started have ended by then."""
    done = _orch(folder, "run", "--quiet", "orch.search.metric=val_loss")
    assert done.returncode == 2
    assert "none reports 'val_loss'. Did you mean 'loss'? They report loss." in done.stderr
    assert len(done.stderr.splitlines()) == 1


def _kill_repeatedly(folder: Path, points: int, kills: int) -> None:
    """Kill the command at moments that its own progress decides, and let it end at last."""
    command = [sys.executable, "-m", "orchestrator", "run", "--quiet"]
    for number in range(kills):
        wanted = (number + 1) * points // (kills + 1)
        with subprocess.Popen(command, cwd=folder, start_new_session=True) as process:
            training = folder / "results/e/training"
            until = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < until:
                if (
                    training.is_dir()
                    and sum(it.name[0] != "." for it in training.iterdir()) >= wanted
                ):
                    break
                time.sleep(0.002)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
    done = _orch(folder, "run", "--quiet")
    assert done.returncode == 0, done.stderr
    training = folder / "results/e/training"
    there = [
        json.loads((it / "run.json").read_text()) for it in training.iterdir() if it.name[0] != "."
    ]
    assert len(there) == points
    assert len({json.dumps(it["overrides"]) for it in there}) == points


def test_search_that_is_killed_goes_on_where_it_was(folder: Path) -> None:
    """Never a point twice, and never more than were asked for."""
    _kill_repeatedly(folder, points=6, kills=2)


@pytest.mark.soak
def test_search_that_is_killed_twenty_times_ends_with_its_points(folder: Path) -> None:
    """The same, 20 times, with more points."""
    _configure(folder, 44)
    _kill_repeatedly(folder, points=44, kills=20)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--prepare"], "its runs cannot be handed to a cluster"),
        (["orch.slurm={}"], "its runs cannot be handed to a cluster"),
    ],
)
def test_search_refuses_what_it_cannot(folder: Path, words: list[str], why: str) -> None:
    """Others could not propose its points."""
    done = _orch(folder, "run", *words)
    assert done.returncode == 2
    assert why in done.stderr


@pytest.mark.parametrize(("metric", "is_told"), [("val/los", True), ("val/loss", False)])
def test_metric_that_looks_misspelt_is_told_before_a_run(
    folder: Path, metric: str, *, is_told: bool
) -> None:
    """The search would end with an error after its first runs."""
    words = (f"orch.search.metric={metric}", "+orch.search.direction=min")
    said = _orch(folder, "plan", *words, "+checkpoint.metric=val/loss")
    assert said.returncode == 0, said.stderr
    assert ("Did you mean 'val/loss'?" in said.stdout) == is_told
