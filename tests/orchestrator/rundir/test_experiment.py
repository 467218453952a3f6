"""The folder of an experiment holds complete run directories, whoever makes them."""

import fcntl
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from orchestrator.errors import RunDirectoryError
from orchestrator.grid.identity import Run, RunId
from orchestrator.rundir.build import build, publish
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.records import now
from orchestrator.rundir.state import Record, State, Status


def test_experiment_that_does_not_exist_has_no_runs(tmp_path: Path) -> None:
    """Looking at nothing finds nothing and makes nothing."""
    experiment = ExperimentDirectory(tmp_path / "results", "first")
    assert experiment.runs() == []
    assert list(tmp_path.iterdir()) == []


def test_runs_are_found_and_foreign_names_passed_over(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """Only names that can be run IDs are run directories."""
    for run in runs:
        experiment.create(run)
    (experiment.training / "notes.txt").touch()
    (experiment.training / ".new-0123456789abcdef").mkdir()
    found = [directory.run_id for directory in experiment.runs()]
    assert found == sorted(run.run_id for run in runs)


def test_making_a_directory_twice_keeps_the_first(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """Nothing in a run directory is made anew."""
    directory = experiment.create(runs[0])
    (directory.path / "kept").touch()
    assert (experiment.create(runs[0]).path / "kept").exists()


def test_two_makers_at_once_make_one_directory(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """Several processes may create the same run; none fails, and one directory is there."""
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                for run in runs:
                    experiment.create(run)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert len(list(experiment.training.iterdir())) == len(runs)


def test_what_a_killed_maker_left_is_swept(experiment: ExperimentDirectory) -> None:
    """An unfinished directory of a dead process is gone after the next preparation."""
    (experiment.training / ".new-0123456789abcdef").mkdir()
    experiment.prepare()
    assert list(experiment.training.iterdir()) == []


def test_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    """The error names the folder and what to do, and nothing is left behind."""
    (tmp_path / "file").touch()
    with pytest.raises(RunDirectoryError, match="cannot write here") as caught:
        ExperimentDirectory(tmp_path / "file", "first").prepare()
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


FAULTS = {
    "nothing": lambda path: path,
    "truncated": lambda path: path.write_bytes(b'{"schema": 1, "state": "done"'),
    "two records": lambda path: path.write_bytes(path.read_bytes() * 2),
    "no text": lambda path: path.write_bytes(b"\xff\xfe"),
    "zeros": lambda path: path.write_bytes(bytes(30)),
    "empty": lambda path: path.write_bytes(b""),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "a link": lambda path: (path.rename(path.with_name("kept")), path.symlink_to("kept")),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "huge": lambda path: os.truncate(path, 1_000_000_000),
    "gone": lambda path: path.unlink(),
    "without a folder": lambda path: shutil.rmtree(path.parent),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("record", Record)
def test_many_runs_are_seen_as_each_run_directory_sees_itself(
    experiment: ExperimentDirectory, runs: list[Run], record: Record, fault: str
) -> None:
    """The quick look at what is done never says anything else than the thorough one."""
    directory = experiment.create(runs[0])
    directory.write_status(Status(record, 2, now(), "box", 1, ended_at=now(), exit_code=0))
    FAULTS[fault](directory.path / "status.json")
    seen = experiment.observe([directory.run_id])
    assert seen == {directory.run_id: directory.observe()}


def test_many_runs_of_a_folder_that_is_not_there_are_pending(
    experiment: ExperimentDirectory,
) -> None:
    """Somebody may move the folder away between two looks at it."""
    run_id = RunId("0123456789abcdef")
    seen = ExperimentDirectory(experiment.results_dir, "elsewhere").observe([run_id])
    assert seen[run_id].state is State.PENDING


def test_run_directory_that_was_built_ahead_is_nowhere_to_be_seen_until_it_is_created(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """Then it is there whole, and nothing else is."""
    for _ in range(2):
        experiment.build_ahead(runs[:1])
    assert experiment.runs() == []
    assert len(list(experiment.training.iterdir())) == 1
    directory = experiment.create(runs[0])
    assert directory.read_config() == {"seed": 0, "lr": 0.1}
    assert [path.name for path in experiment.training.iterdir()] == [runs[0].run_id]


def test_what_was_built_ahead_in_vain_is_removed(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """By whoever built it, if another one was faster or it is not needed any more."""
    experiment.build_ahead(runs)
    build(runs[0], experiment.training / ".new-by-another")
    publish(experiment.training / ".new-by-another", experiment.run(runs[0].run_id).path)
    experiment.create(runs[0])
    assert len(list(experiment.training.glob(".new-*"))) == 2
    experiment.tear_down()
    assert [path.name for path in experiment.training.iterdir()] == [runs[0].run_id]


@pytest.mark.parametrize(
    "name", [".new-{}-1", ".new-{}", ".new-removed-{}", ".new-swept-0123", ".new-probe"]
)
def test_what_was_built_ahead_by_a_dead_process_is_swept_and_not_used(
    experiment: ExperimentDirectory, runs: list[Run], name: str
) -> None:
    """It may be half built, by this version or by an earlier one."""
    half_built = experiment.training / name.format(runs[0].run_id)
    half_built.mkdir()
    (half_built / "config.yaml").touch()
    assert experiment.create(runs[0]).read_config()
    experiment.prepare()
    assert [path.name for path in experiment.training.iterdir()] == [runs[0].run_id]


def test_what_a_live_process_has_built_ahead_is_not_swept(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """The lock in it says so, whatever the process ID is; once the process is dead, it is."""
    ready, proceed = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ready[0])
        os.close(proceed[1])
        experiment.build_ahead(runs)
        os.write(ready[1], b"!")
        os.read(proceed[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    os.close(proceed[0])
    other = ExperimentDirectory(experiment.results_dir, "first")
    other.prepare()
    assert len(list(experiment.training.iterdir())) == len(runs)
    os.close(proceed[1])
    os.waitpid(child, 0)
    other.prepare()
    assert list(experiment.training.iterdir()) == []


def test_workshops_of_two_processes_with_one_process_id_are_two(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """In containers every orchestrator may have the same one."""
    experiment.build_ahead(runs[:1])
    other = ExperimentDirectory(experiment.results_dir, "first")
    other.build_ahead(runs[:1])
    assert len(list(experiment.training.iterdir())) == 2
    assert experiment.create(runs[0]).observe().state is State.PENDING
    other.create(runs[0])
    assert [path.name for path in experiment.training.iterdir()] == [runs[0].run_id]


@pytest.mark.parametrize("swept", [["config.yaml"], ["run.json"], ["run.lock"], [], None])
def test_half_swept_workshop_is_never_published(
    experiment: ExperimentDirectory, runs: list[Run], swept: list[str] | None
) -> None:
    """An earlier version may have been killed over it; it is built again."""
    experiment.build_ahead(runs[:1])
    (workshop,) = experiment.training.iterdir()
    if swept is None:
        shutil.rmtree(workshop)
    for name in swept or []:
        (workshop / name).unlink()
    directory = experiment.create(runs[0])
    names = sorted(path.name for path in directory.path.iterdir())
    assert names == ["config.yaml", "run.json", "run.lock"]
    assert [path.name for path in experiment.training.iterdir()] == [runs[0].run_id]


PARTS = ["config.yaml", "run.json", "run.lock"]


@pytest.mark.parametrize(
    "missing", [*itertools.combinations(PARTS, 1), *itertools.combinations(PARTS, 2), PARTS]
)
def test_half_a_run_directory_is_made_whole(
    experiment: ExperimentDirectory, runs: list[Run], missing: Sequence[str]
) -> None:
    """An earlier version published it; no attempt has seen it, so nothing can be lost."""
    directory = experiment.create(runs[0])
    whole = directory.config.read_bytes()
    for name in missing:
        (directory.path / name).unlink()
    assert directory.observe().state is State.PENDING
    experiment.create(runs[0])
    assert sorted(path.name for path in directory.path.iterdir()) == PARTS
    assert directory.config.read_bytes() == whole
    assert directory.read_overrides() == {"seed": 0}


def test_lock_that_an_attempt_may_hold_is_not_made_again(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """A process of the run may live, and hold the file that was removed."""
    directory = experiment.create(runs[0])
    directory.write_status(Status(Record.RUNNING, 1, now(), "box", 1))
    directory.lock.path.unlink()
    experiment.create(runs[0])
    seen = directory.observe()
    assert seen.state is State.FAILED
    assert "touch" in seen.reason


@pytest.mark.parametrize("content", [None, b"", b"{", bytes(30), b"[]"])
def test_damaged_identity_is_rebuilt_from_the_config(
    experiment: ExperimentDirectory, runs: list[Run], content: bytes | None
) -> None:
    """What was there is kept aside, and the run keeps the time that MLflow knows it by."""
    directory = experiment.create(runs[0])
    directory.write_status(Status(Record.DONE, 1, "2026-01-01T00:00:00.000+00:00", "box", 1))
    directory.identity.unlink()
    if content is not None:
        directory.identity.write_bytes(content)
    seen = directory.observe()
    assert seen.state is State.DONE
    assert "run.json" in seen.reason
    experiment.create(runs[0])
    assert directory.observe().reason == "it has finished"
    assert directory.read_overrides() == {"seed": 0}
    assert directory.read_created_at() == "2026-01-01T00:00:00.000+00:00"
    aside = [path.read_bytes() for path in directory.path.glob("run.json.unreadable-*")]
    assert aside == ([] if content is None else [content])


def test_identity_is_not_rebuilt_for_another_config(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """Nobody can know then what was trained."""
    directory = experiment.create(runs[0])
    directory.identity.unlink()
    directory.config.write_text("seed: 9\nlr: 0.1\n")
    with pytest.raises(RunDirectoryError, match=r"run\.json"):
        experiment.create(runs[0])
    assert not directory.identity.exists()


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("nowhere"), Path.mkdir])
@pytest.mark.parametrize("name", [".new-x", ".new-data", ".new-removed-5041bf1f713df204"])
def test_what_is_not_ours_stops_nobody_and_stays(
    experiment: ExperimentDirectory, runs: list[Run], make: Callable[[Path], object], name: str
) -> None:
    """A file, a link, or a folder of the user's, whose name begins as those of workshops do."""
    path = experiment.training / name
    make(path)
    is_ours = path.is_dir() and name.startswith(".new-removed")
    experiment.prepare()
    experiment.create(runs[0])
    experiment.tear_down()
    assert os.path.lexists(path) is not is_ours


def test_run_directory_that_is_a_link_is_not_removed(
    experiment: ExperimentDirectory, runs: list[Run], tmp_path: Path
) -> None:
    """Its results may have been moved to another disk: neither they nor the link are touched."""
    directory = experiment.create(runs[0])
    directory.write_status(Status(Record.DONE, 1, now(), "box", 1))
    directory.path.rename(tmp_path / "moved")
    directory.path.symlink_to(tmp_path / "moved")
    before = times(tmp_path)
    assert "it is a link" in experiment.remove(runs[0].run_id)
    assert times(tmp_path) == before
    assert directory.observe().state is State.DONE


def times(folder: Path) -> dict[Path, int]:
    """Return something that changes with every write below a folder."""
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


def test_run_that_another_orchestrator_may_be_about_to_start_is_not_removed(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """Between its creation and its lock nothing else tells that it is needed; a finished one is not."""
    waiting, done = (experiment.create(run) for run in runs[:2])
    done.write_status(Status(Record.DONE, 1, now(), "box", 1))
    lock = experiment.path / "orchestrators.lock"
    lock.touch()
    descriptor = os.open(lock, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    assert "another orch run" in experiment.remove(waiting.run_id)
    assert experiment.remove(done.run_id) == ""
    os.close(descriptor)
    assert experiment.remove(waiting.run_id) == ""
    assert list(experiment.training.iterdir()) == []


def test_orchestrators_of_an_experiment_know_whether_they_are_alone(
    experiment: ExperimentDirectory,
) -> None:
    """The kernel forgets the dead ones."""
    script = (
        "import sys; from pathlib import Path; from orchestrator.rundir.experiment import *;"
        f"print(ExperimentDirectory(Path({str(experiment.results_dir)!r}), 'first').join(), flush=True);"
        "sys.stdin.read()"
    )
    command = [sys.executable, "-c", script]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    answers = []
    with subprocess.Popen(command, **pipes) as first:  # type: ignore[call-overload]
        answers.append(first.stdout.readline())
        with subprocess.Popen(command, **pipes) as second:  # type: ignore[call-overload]
            answers.append(second.stdout.readline())
            second.kill()
        first.kill()
    with subprocess.Popen(command, **pipes) as third:  # type: ignore[call-overload]
        answers.append(third.stdout.readline())
        third.kill()
    assert answers == ["True\n", "False\n", "True\n"]


def test_file_system_that_grants_every_lock_is_refused(
    experiment: ExperimentDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two orchestrators would execute the same runs there."""
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    with pytest.raises(RunDirectoryError, match="locks do not work on this file system"):
        experiment.prepare()


def test_what_stands_in_place_of_the_lock_of_orchestrators_is_told_with_its_path(
    tmp_path: Path,
) -> None:
    experiment = ExperimentDirectory(tmp_path, "e")
    lock = experiment.path / "orchestrators.lock"
    lock.mkdir(parents=True)
    with pytest.raises(RunDirectoryError, match=r"orchestrators\.lock: it cannot be locked"):
        experiment.join()
