"""The folder of an experiment holds complete run directories, whichever process makes them."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.errors import RunDirectoryError
from orchestrator.grid.identity import Run, RunId
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.records import now
from orchestrator.rundir.state import Record, State, Status


def test_experiment_that_does_not_exist_has_no_runs(tmp_path: Path) -> None:
    """Looking at nothing finds nothing and makes nothing."""
    experiment = ExperimentDirectory(tmp_path / "results", "first")
    assert experiment.runs() == []
    assert list(tmp_path.iterdir()) == []


def test_experiment_is_the_first_until_a_run_is_there_or_another_experiment(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """From then on there is something to learn from."""
    another = ExperimentDirectory(experiment.results_dir, "another")
    assert experiment.is_first()
    experiment.prepare()
    assert experiment.is_first()
    assert not another.is_first()
    experiment.create(runs[0])
    assert not experiment.is_first()


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
    """Nothing in a run directory is recreated."""
    directory = experiment.create(runs[0])
    (directory.path / "kept").touch()
    assert (experiment.create(runs[0]).path / "kept").exists()


@pytest.mark.parametrize("is_link", [True, False])
def test_file_in_place_of_a_run_directory_is_one_line(
    experiment: ExperimentDirectory, runs: list[Run], *, is_link: bool
) -> None:
    """Nothing of it is changed: a link may lead to a disk that is not mounted."""
    path = experiment.run(runs[0].run_id).path
    experiment.prepare()
    if is_link:
        path.symlink_to("nowhere")
    else:
        path.touch()
    with pytest.raises(RunDirectoryError, match="it is not a directory"):
        experiment.create(runs[0])
    assert os.path.lexists(path)
    assert "it is not a directory. Move it away" in experiment.run(runs[0].run_id).observe().damage


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
    "not UTF-8": lambda path: path.write_bytes(b"\xff\xfe"),
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
