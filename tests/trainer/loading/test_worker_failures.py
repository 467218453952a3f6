"""A killed worker means out of memory; a request to stop lets workers finish their batches."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import pytest
import torch
from run_files import MakeRun, Start, checkpoints_of, results_of
from thinning import combined
from torch.utils.data import DataLoader, TensorDataset
from user_modules import run_program, sabotage

from trainer.errors import ConfigError, WorkerKilled
from trainer.loading.worker_failures import (
    HeedOnlyTheTrainer,
    killed_workers_told,
    last_words_after_workers,
    with_workers,
)

LOADING: dict[str, Any] = {"num_workers": 2}


@pytest.mark.parametrize("where", ["sample", "step"])
def test_worker_that_is_killed_is_a_lack_of_memory(
    make_run: MakeRun, start: Start, tmp_path: Path, where: str
) -> None:
    """Wherever the training is at that moment: the last line names the class."""
    marker = tmp_path / "marker"
    marker.touch()
    run_dir = make_run(
        data={"_target_": "dying_data.Dying", "where": where, "marker": str(marker)},
        dataloader=LOADING,
    )
    assert start(run_program, str(run_dir)) == 1
    # Another worker may tell of its own, before it: what it was handing over went to nobody.
    *_, last = (run_dir / "err.log").read_text().splitlines()
    assert last.startswith("out-of-memory: a loader worker")
    assert start(run_program, str(run_dir)) == 0


def test_workers_of_loaders_have_ended_before_an_error_is_told() -> None:
    """What they write when they lose the trainer does not stand below it; the user's processes stay.

    A pool of processes would wait for ever for its own at the end of the program. PyTorch raises an error
    at any place of the program where a worker dies: it does not replace the first.
    """

    def complain(*_: object) -> None:
        raise RuntimeError("a worker has died")

    own = multiprocessing.get_context("fork").Process(target=signal.pause, daemon=True)
    own.start()
    loader = DataLoader(
        TensorDataset(torch.arange(4)), num_workers=2, worker_init_fn=HeedOnlyTheTrainer(None)
    )
    batches: Any = with_workers(loader)
    before = signal.signal(signal.SIGCHLD, complain)
    try:
        with pytest.raises(OSError, match="lost"), last_words_after_workers():
            raise OSError("lost")
    finally:
        signal.signal(signal.SIGCHLD, before)
    for worker in batches._workers:
        assert wait([worker.sentinel], 60)
    assert own.is_alive()
    own.kill()
    own.join()


@pytest.mark.parametrize(("code", "workers"), combined(code=[0, 3], workers=[1, 2]))
def test_worker_that_ends_by_itself_is_told(
    make_run: MakeRun, start: Start, workers: int, code: int
) -> None:
    """It would do so each time, so the run is not retried. Another worker may complain that it lost the trainer."""
    data = {"_target_": "dying_data.Leaving", "code": code}
    run_dir = make_run(data=data, dataloader={"num_workers": workers})
    assert start(run_program, str(run_dir)) == 2
    lines = (run_dir / "err.log").read_text().splitlines()
    (told,) = [line for line in lines if line.startswith("data: a loader worker")]
    assert f"has ended with exit code {code} before its batches" in told


@pytest.mark.parametrize(("deed", "code"), [("terminate_group", 143), ("interrupt_group", 130)])
@pytest.mark.parametrize("workers", [0, 2])
def test_request_to_the_process_group_lets_the_iteration_finish(
    make_run: MakeRun, start: Start, tmp_path: Path, deed: str, code: int, workers: int
) -> None:
    """With workers as without: it is saved, the exit code says so, and the run goes on."""
    changes: dict[str, Any] = {
        "data": {"_target_": "user_modules.Noisy"},
        "dataloader": {"num_workers": workers},
    }
    whole = make_run("whole", **changes)
    assert start(run_program, str(whole)) == 0
    run_dir = make_run(curriculum=sabotage(tmp_path, "step_end", 2, deed), **changes)
    assert start(run_program, str(run_dir)) == code
    assert (run_dir / "err.log").read_text() == ""
    assert (run_dir / "out.log").read_text().endswith("stopped after iteration 2 of 4, as asked\n")
    assert checkpoints_of(run_dir)[-1].name.startswith("000002-")
    assert start(run_program, str(run_dir)) == 0
    assert results_of(run_dir)["digest"] == results_of(whole)["digest"]


def by_killed_worker(error: Exception) -> Exception:
    """Raise an error while PyTorch's for a killed worker is handled."""
    killed = RuntimeError("DataLoader worker (pid 123) is killed by signal: Killed. ")
    try:
        try:
            raise killed
        except RuntimeError:
            raise error  # noqa: B904 - as a user's code does
    except type(error) as raised:
        return raised


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (RuntimeError("DataLoader worker (pid 123) is killed by signal: Killed. "), True),
        (by_killed_worker(ConfigError("optimizer: Adam cannot step: DataLoader worker")), True),
        (by_killed_worker(ValueError("the user's own")), True),
        (RuntimeError("DataLoader worker exited unexpectedly"), False),
        (ValueError("DataLoader worker (pid 123) is killed by signal: Killed. "), False),
        (ConfigError("optimizer: Adam cannot step"), False),
    ],
)
def test_error_of_a_worker_is_not_taken_for_its_death(error: Exception, *, is_one: bool) -> None:
    """Only what PyTorch says of a process that was killed is, wherever its signal handler raised it."""
    with pytest.raises(WorkerKilled if is_one else type(error)), killed_workers_told():
        raise error


class Masked:
    """Note which signals are blocked when it is iterated over."""

    def __iter__(self) -> Iterator[Any]:
        """Note them."""
        self.mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        return iter(())


def test_workers_are_started_while_requests_to_stop_are_blocked() -> None:
    """They inherit the mask, and a request cannot end one before it knows what to do with it."""
    loader: Any = Masked()
    with_workers(loader)
    assert signal.SIGTERM in loader.mask
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def be_a_worker(folder: str, *, is_asked_by_the_trainer: bool) -> None:
    """Start a process as a loader does, end it, and write down how it ended."""
    ready, told = os.pipe()
    heed = HeedOnlyTheTrainer(None)
    pid = os.fork()
    if pid == 0:
        heed(0)
        os.write(told, b"x")
        signal.pause()
    os.read(ready, 1)
    if is_asked_by_the_trainer:
        os.kill(pid, signal.SIGTERM)
    else:
        if os.fork() == 0:
            os.kill(pid, signal.SIGTERM)
            os._exit(0)
        os.wait()
        os.kill(pid, signal.SIGKILL)
    Path(folder, "ended").write_text(str(os.waitpid(pid, 0)[1]))


@pytest.mark.parametrize(("is_asked_by_the_trainer", "ended"), [(True, "0"), (False, "9")])
def test_worker_heeds_the_trainer_alone(
    start: Start,
    tmp_path: Path,
    is_asked_by_the_trainer: bool,  # noqa: FBT001 - parametrized
    ended: str,
) -> None:
    """It ends at once where the trainer asks it to, whatever it is at."""
    assert start(call_worker, str(tmp_path), is_asked_by_the_trainer) == 0
    assert (tmp_path / "ended").read_text() == ended


def call_worker(folder: str, is_asked: bool) -> None:  # noqa: FBT001 - as a process is called
    """Be the parent of a worker."""
    be_a_worker(folder, is_asked_by_the_trainer=is_asked)


def test_seed_that_a_worker_is_told_depends_on_the_batch(
    make_run: MakeRun, start: Start, tmp_path: Path
) -> None:
    """So a data set that seeds its generators by it gives the same, whichever process makes the sample."""
    digests = set()
    for workers in (0, 1, 2):
        changes: dict[str, Any] = {
            "data": {"_target_": "meddling.ByWorkerData"},
            "dataloader": {"num_workers": workers},
        }
        whole = make_run(f"whole-{workers}", **changes)
        assert start(run_program, str(whole)) == 0, (whole / "err.log").read_text()
        saboteur = sabotage(tmp_path, "step_end", 3, "kill")
        killed = make_run(f"killed-{workers}", curriculum=saboteur, **changes)
        assert start(run_program, str(killed)) == -9
        (tmp_path / "marker").touch()
        assert start(run_program, str(killed)) == 0
        digests |= {results_of(each)["digest"] for each in (whole, killed)}
    assert len(digests) == 1


def test_function_for_workers_finds_the_data_set_of_the_user(
    make_run: MakeRun, start: Start, tmp_path: Path
) -> None:
    """And what it puts there is seeded for each batch, whichever worker makes it."""
    digests = set()
    for workers in (1, 2):
        changes: dict[str, Any] = {
            "data": {"_target_": "random_data.ByWorkersFunctionData"},
            "dataloader": {
                "num_workers": workers,
                "worker_init_fn": {"_target_": "random_data.give_generator", "_partial_": True},
            },
        }
        whole = make_run(f"whole-{workers}", **changes)
        assert start(run_program, str(whole)) == 0, (whole / "err.log").read_text()
        saboteur = sabotage(tmp_path, "step_end", 3, "kill")
        killed = make_run(f"killed-{workers}", curriculum=saboteur, **changes)
        assert start(run_program, str(killed)) == -9
        (tmp_path / "marker").touch()
        assert start(run_program, str(killed)) == 0
        digests |= {results_of(each)["digest"] for each in (whole, killed)}
    assert len(digests) == 1


def test_exit_in_a_worker_is_an_error_that_says_where(make_run: MakeRun, start: Start) -> None:
    """Not only that a worker is gone."""
    run_dir = make_run(data={"_target_": "meddling.LeavingData"}, dataloader=LOADING)
    assert start(run_program, str(run_dir)) == 1
    said = (run_dir / "err.log").read_text()
    assert "SystemExit(0) was raised in a loader worker." in said
    assert 'meddling.py", line' in said
    assert not (run_dir / "results.json").exists()
