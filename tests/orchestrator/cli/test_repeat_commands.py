"""Tests of orchestrator.cli.repeat_commands: the commands yield the runs of an experiment again."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest

from orchestrator.cli.arguments import parse_arguments
from orchestrator.cli.command_for_run import find_own_command
from orchestrator.cli.lookup import source_of
from orchestrator.cli.repeat_commands import find_repeat_commands
from orchestrator.cli.report_contents import collect
from orchestrator.planning.load import load_plan
from orchestrator.planning.results_loading import read_results
from orchestrator.rundir.run_summary import report_on
from orchestrator.rundir.state import PAUSED, Record, Status

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
results_dir: {folder}/results
experiment_id: many
defaults: [{{optimizer: sgd}}, _self_]
model: {{width: 8, name: a b}}
seed: 0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a config folder."""
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "config.yaml").write_text(CONFIG.format(folder=tmp_path))
    (tmp_path / "optimizer/sgd.yaml").write_text("lr: 0.1\n")
    (tmp_path / "optimizer/adam.yaml").write_text("lr: 0.01\nbeta: 0.9\n")
    return tmp_path


def _make(folder: Path, *words: str, leave_out: int = 0) -> set[str]:
    """Create the runs of a command, but for some, and return the IDs of all of them."""
    line = ["--config-dir", str(folder), "plan", *words]
    planned = load_plan(source_of(parse_arguments(line)))
    planned.experiment.prepare()
    runs = planned.plan.selection.runs
    for run in runs[leave_out:]:
        planned.experiment.create(run)
    return {run.run_id for run in runs}


def _repeat(folder: Path) -> list[tuple[str, str]]:
    options = parse_arguments(["report", f"--config-dir={folder}", "--all", "--out=x.html"])
    experiment = load_plan(source_of(options)).experiment
    exclude = experiment.identity_exclude
    runs = [read_results(it, exclude=exclude) for it in experiment.standing()]
    return [*find_repeat_commands(options, runs, collect(runs))]


def _runs_of(line: str) -> set[str]:
    orch, run, *words = shlex.split(line)
    assert (orch, run) == ("orch", "run")
    planned = load_plan(source_of(parse_arguments(["plan", *words])))
    return {run.run_id for run in planned.plan.selection.runs}


@pytest.mark.parametrize(
    "commands",
    [
        [["seed=2,0,10"]],
        [["optimizer=sgd,adam", "seed=0,1", "model.width=16"], ["optimizer.lr=1,2"], []],
        [["model.name='x, y',\"it's\",b", "+new=1,true,null"], ["++model.width=1,2"]],
        [["~optimizer.lr", "seed=0,1"], ["model={width:3},{width:4}"]],
    ],
    ids=str,
)
def test_commands_yield_all_runs(folder: Path, commands: list[list[str]]) -> None:
    """One for those that were created with values on the same axes, and given the same."""
    made = [_make(folder, *words) for words in commands]
    found = _repeat(folder)
    assert sorted(map(sorted, (_runs_of(line) for _, line in found))) == sorted(map(sorted, made))
    assert {what for what, _ in found} == {
        f"execute {len(ids)} run{'s' if len(ids) > 1 else ''} again in an empty results_dir"
        for ids in made
    }


def test_values_that_are_numbers_are_in_order(folder: Path) -> None:
    _make(folder, "seed=10,2,1")
    ((_, line),) = _repeat(folder)
    assert line.endswith(" seed=1,2,10")


def test_grid_with_more_runs_than_there_are_is_said_to_have_them(folder: Path) -> None:
    made = _make(folder, "seed=0,1", "model.width=1,2", leave_out=1)
    ((what, line),) = _repeat(folder)
    assert "3 runs, and 1 more of their grid," in what
    assert _runs_of(line) == made


def test_runs_of_a_config_that_is_gone_have_no_command(folder: Path) -> None:
    """Their pages say why."""
    _make(folder, "optimizer=adam", "seed=0,1")
    _make(folder, "seed=5")
    (folder / "optimizer/adam.yaml").unlink()
    (_, line), (what, show) = _repeat(folder)
    assert _runs_of(line) == _make(folder, "seed=5")
    assert what == "one of the other 2 runs: its command, if the config still has it"
    assert shlex.split(show)[:3] == ["orch", "show", "RUN"]


def test_halved_runs_are_halved_again(folder: Path) -> None:
    """A run of them that is continued alone is compared with no other."""
    typed = "orch.halving=loss:min:3"
    for run_id in _make(folder, "seed=1,2"):
        path = folder / "results/many/training" / run_id / "code.json"
        attempt = {
            "attempt": 1,
            "directory": "/",
            "files": {},
            "typed": f"orch run seed=1,2 {typed}",
        }
        path.write_text(json.dumps({"attempts": [attempt]}))
    ((_, line),) = _repeat(folder)
    assert line == f"orch run --config-dir={folder} seed=1,2 {typed}"
    options = parse_arguments(["show", f"--config-dir={folder}", "x"])
    directory, other = load_plan(source_of(options)).experiment.standing()
    done = Status(Record.DONE, 1, "2026-11-29T10:00:00+00:00", "box", 1)
    for each in (directory, other):
        each.write_status(done)
    ((_, line),) = _repeat(folder)
    assert line == f"orch run --config-dir={folder} seed=1,2"  # trained to their ends since
    with (folder / "config.yaml").open("a") as config:
        config.write("\norch: {halving: 'loss:min:3'}\n")
    ((_, line),) = _repeat(folder)
    assert line == f"orch run --config-dir={folder} seed=1,2 orch.halving=none"
    paused = Status(Record.INTERRUPTED, 1, "2026-11-29T10:00:00+00:00", "box", 1, reason=PAUSED)
    directory.write_status(paused)
    ((_, line),) = _repeat(folder)
    assert line == f"orch run --config-dir={folder} seed=1,2 {typed}"
    own = find_own_command(options, directory, report_on(directory))
    assert own.command is not None
    assert "halving" not in own.command


def test_runs_that_were_executed_again_need_no_command_of_their_own(folder: Path) -> None:
    """A rerun names them by their IDs, without the settings of the command that created them."""
    made = _make(folder, "seed=0,1,2")
    for place, run_id in enumerate(sorted(made)):
        path = folder / "results/many/training" / run_id / "code.json"
        typed = f"orch rerun {run_id}" if place == 1 else "orch run orch.no_progress=9h seed=0,1,2"
        attempt = {"attempt": 1, "directory": "/", "files": {}, "typed": typed}
        path.write_text(json.dumps({"attempts": [attempt]}))
    ((what, line),) = _repeat(folder)
    assert what == "execute 3 runs again in an empty results_dir"
    assert "orch.no_progress=9h" in line
    assert _runs_of(line) == made


def test_runs_of_two_programs_are_repeated_by_two_commands(folder: Path) -> None:
    """The program is not part of a run ID; the one that was typed belongs to its runs."""
    for program, rates in (("a.py", "1,2"), ("b.py", "3,4")):
        words = (f"optimizer.lr={rates}", f"orch.command=[{program}]")
        for run_id in _make(folder, *words):
            path = folder / "results/many/training" / run_id / "code.json"
            attempt = {"attempt": 1, "directory": "/", "files": {}}
            typed = f"orch run optimizer.lr={rates} 'orch.command=[{program}]'"
            path.write_text(json.dumps({"attempts": [{**attempt, "typed": typed}]}))
    commands = {line for _, line in _repeat(folder)}
    assert commands == {
        "orch run --config-dir={} 'orch.command=[{}]' optimizer.lr={}".format(folder, *each)
        for each in (("a.py", "1,2"), ("b.py", "3,4"))
    }
