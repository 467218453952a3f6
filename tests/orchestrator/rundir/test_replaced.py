"""Directories that a rerun replaces are kept until the new ones are done."""

import fcntl
import json
import os
from pathlib import Path

import pytest

from orchestrator.errors import RunDirectoryError
from orchestrator.grid.identity import Run, identify
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.records import now
from orchestrator.rundir.state import Record, State, Status

RUNS = [identify({"lr": lr}, {"lr": lr}) for lr in (0.1, 0.2, 0.3)]
IDS = [run.run_id for run in RUNS]


@pytest.fixture
def experiment(tmp_path: Path) -> ExperimentDirectory:
    made = ExperimentDirectory(tmp_path / "results", "e")
    made.prepare()
    return made


def end(experiment: ExperimentDirectory, run: Run, record: Record, what: str) -> RunDirectory:
    """Make a run directory whose only attempt ended so, with a result."""
    directory = experiment.create(run)
    directory.results.write_text(what)
    directory.write_status(Status(record, 1, now(), "box", 1, ended_at=now()))
    return directory


def put_aside(experiment: ExperimentDirectory, *run_ids: str) -> dict[str, str]:
    told: list[str] = []
    return dict(experiment.replaced.put_aside([*run_ids], told.append))  # type: ignore[list-item]


def results(experiment: ExperimentDirectory) -> dict[str, str]:
    """Return the results that stand."""
    return {it.run_id: it.results.read_text() for it in experiment.standing() if it.is_done()}


def test_earlier_result_stands_until_the_new_one_is_done(experiment: ExperimentDirectory) -> None:
    """At every moment there is one of them, and at the end nothing else is left."""
    run = RUNS[0]
    end(experiment, run, Record.DONE, "old")
    assert put_aside(experiment, run.run_id) == {}
    assert experiment.run(run.run_id).observe().state is State.PENDING
    assert results(experiment) == {run.run_id: "old"}
    end(experiment, run, Record.FAILED, "half")
    assert results(experiment) == {run.run_id: "old"}
    experiment.tear_down()
    assert results(experiment) == {run.run_id: "old"}
    end(experiment, run, Record.DONE, "new")
    assert results(experiment) == {run.run_id: "new"}
    experiment.tear_down()
    assert results(experiment) == {run.run_id: "new"}
    assert [path.name for path in experiment.path.iterdir()] == ["training"]
    assert [path.name for path in experiment.training.iterdir()] == [run.run_id]


def test_new_directory_says_which_one_it_replaces(experiment: ExperimentDirectory) -> None:
    """Also one that was built ahead; one that replaces nothing does not."""
    old = end(experiment, RUNS[0], Record.DONE, "old").read_created_at()
    put_aside(experiment, IDS[0])
    experiment.build_ahead(RUNS[:2])
    found = [json.loads(experiment.create(run).identity.read_text()) for run in RUNS[:2]]
    assert [it.get("replaces") for it in found] == [old, None]


def test_rerun_that_is_repeated_continues_and_repeats_nothing(
    experiment: ExperimentDirectory,
) -> None:
    """What it has finished is left out, what it has not reached is included."""
    for run in RUNS:
        end(experiment, run, Record.DONE, "old")
    replaced = experiment.replaced
    assert replaced.choose(IDS) == IDS
    put_aside(experiment, *IDS[:2])  # killed before the third
    end(experiment, RUNS[0], Record.DONE, "new")
    experiment.prepare()  # of any orch run
    assert replaced.choose(IDS) == IDS[1:]
    put_aside(experiment, *IDS[1:])
    assert replaced.kept(IDS[1]).results.read_text() == "old"
    for run in RUNS[1:]:
        end(experiment, run, Record.DONE, "new")
    assert replaced.choose(IDS) == IDS[1:]  # they are done, and not settled yet
    experiment.tear_down()
    assert replaced.choose(IDS) == IDS  # it is over: this is another rerun
    assert set(results(experiment).values()) == {"new"}


def test_rerun_of_another_run_is_not_held_up_by_an_unfinished_one(
    experiment: ExperimentDirectory,
) -> None:
    """A mark concerns only the command that has not finished."""
    for run in RUNS[:2]:
        end(experiment, run, Record.DONE, "old")
    put_aside(experiment, *IDS[:2])
    end(experiment, RUNS[0], Record.DONE, "new")
    experiment.tear_down()
    assert experiment.replaced.choose(IDS[:1]) == IDS[:1]


def test_what_is_kept_is_not_replaced_by_a_second_move(experiment: ExperimentDirectory) -> None:
    """Its new attempt is continued instead."""
    end(experiment, RUNS[0], Record.DONE, "old")
    put_aside(experiment, IDS[0])
    end(experiment, RUNS[0], Record.INTERRUPTED, "half")
    assert put_aside(experiment, IDS[0]) == {}
    assert experiment.run(IDS[0]).results.read_text() == "half"
    assert experiment.replaced.kept(IDS[0]).results.read_text() == "old"


def test_live_run_and_link_stay_in_their_place(
    experiment: ExperimentDirectory, tmp_path: Path
) -> None:
    """Each with its reason; the others are moved."""
    for run in RUNS[:2]:
        end(experiment, run, Record.INTERRUPTED, "half")
    elsewhere = tmp_path / "elsewhere"
    experiment.run(IDS[1]).path.rename(elsewhere)
    experiment.run(IDS[1]).path.symlink_to(elsewhere)
    end(experiment, RUNS[2], Record.FAILED, "old")
    lock = experiment.run(IDS[0]).lock.open()
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        kept = put_aside(experiment, *IDS)
    finally:
        os.close(lock)
    assert kept[IDS[0]] == "a process of it is live"
    assert "a link" in kept[IDS[1]]
    assert experiment.replaced.run_ids() == [IDS[2]]


@pytest.mark.parametrize("is_begun", [True, False])
def test_removing_a_run_removes_what_is_kept_of_it(
    experiment: ExperimentDirectory, *, is_begun: bool
) -> None:
    """Whether its new attempt has begun or not."""
    end(experiment, RUNS[0], Record.DONE, "old")
    put_aside(experiment, IDS[0])
    if is_begun:
        end(experiment, RUNS[0], Record.FAILED, "half")
    assert experiment.remove(IDS[0]) == ""
    assert experiment.standing() == []
    experiment.prepare()
    assert [*experiment.training.iterdir()] == []


@pytest.mark.parametrize("kind", ["pipe", "file", "link"])
def test_folder_of_what_is_kept_that_cannot_be_made_is_an_error(
    experiment: ExperimentDirectory, tmp_path: Path, kind: str
) -> None:
    """In one line, and the run stays where it is."""
    directory = end(experiment, RUNS[0], Record.DONE, "old")
    path = experiment.replaced.path
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "file":
        path.touch()
    else:
        path.symlink_to(tmp_path)
    with pytest.raises(RunDirectoryError, match=r"replaced: cannot write here \(.*\)\. Check"):
        put_aside(experiment, IDS[0])
    assert directory.results.read_text() == "old"
