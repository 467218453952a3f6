"""One process per rank: they end together, and the run ends as the rank that failed first."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest
from torch import distributed

from trainer import rank_processes
from trainer.errors import ConfigError
from trainer.rank_processes import check_gpus, describe_crowd, find_cause, run_ranks

if TYPE_CHECKING:
    from collections.abc import Callable


def test_run_is_done_when_all_ranks_are() -> None:
    def train(_tell: object) -> int:
        distributed.barrier()
        return 0

    assert run_ranks(3, "cpu", train) == 0


def test_killed_rank_ends_the_others_and_is_the_cause(capfd: pytest.CaptureFixture[str]) -> None:
    """Although the others fail as well, when they miss it."""

    def train(_tell: object) -> int:
        if distributed.get_rank() == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            distributed.barrier()
        except RuntimeError:
            return 1
        return 0

    assert run_ranks(2, "cpu", train) == 128 + signal.SIGKILL
    assert capfd.readouterr().err.endswith("rank 1 was killed by SIGKILL\n")


def test_rank_that_fails_is_heard_whichever_it_is(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other ranks are silent, and are ended if they wait forever."""
    monkeypatch.setattr(rank_processes, "GRACE", 0.0)

    def train(_tell: object) -> int:
        print(f"rank {distributed.get_rank()} began")
        sys.stdout.flush()
        distributed.barrier()
        if distributed.get_rank() == 0:
            signal.pause()
        sys.stderr.write("the data of this rank are damaged\n")
        return 7

    assert run_ranks(2, "cpu", train) == 7
    out, err = capfd.readouterr()
    assert out == "rank 0 began\n"
    assert "the data of this rank are damaged\n" in err


def test_error_that_all_ranks_have_is_told_once(capfd: pytest.CaptureFixture[str]) -> None:
    """Although another one than the first, which speaks for all, has it first."""

    def train(tell: Callable[[str], object]) -> int:
        if distributed.get_rank() == 0:
            with contextlib.suppress(RuntimeError):
                distributed.barrier()  # until the other one has failed
        tell("clip_norm: -1\n")
        return 2

    assert run_ranks(2, "cpu", train) == 2
    assert capfd.readouterr().err == "clip_norm: -1\n"


def test_rank_that_fails_first_is_heard_although_another_is_seen_first(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """What the others say of the connection that they have lost would not help."""

    def train(_tell: object) -> int:
        if distributed.get_rank() == 1:
            raise ValueError("the data of this rank are damaged")
        with contextlib.suppress(RuntimeError):
            distributed.barrier()
        return 7

    assert run_ranks(2, "cpu", train) == 1
    assert "ValueError: the data of this rank are damaged" in capfd.readouterr().err


@pytest.mark.parametrize("which", [0, 1])
def test_rank_that_ends_its_process_has_failed(
    capfd: pytest.CaptureFixture[str], which: int
) -> None:
    """Exit code 0 would say that the run is done."""

    def train(_tell: object) -> int:
        if distributed.get_rank() == which:
            os._exit(0)
        distributed.barrier()
        return 0

    assert run_ranks(2, "cpu", train) == 2
    said = f"world_size: rank {which} has ended its process with exit code 0 before the training"
    assert said in capfd.readouterr().err


def test_all_ranks_that_end_their_processes_have_failed() -> None:
    assert run_ranks(2, "cpu", lambda _tell: os._exit(0)) == 2


def test_request_to_stop_reaches_all_ranks() -> None:
    def train(_tell: object) -> int:
        asked: list[int] = []
        signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
        distributed.barrier()
        if distributed.get_rank() == 0:
            os.kill(os.getppid(), signal.SIGTERM)
        while not asked:
            signal.pause()
        return 0

    assert run_ranks(2, "cpu", train) == 0


@pytest.mark.parametrize(
    ("codes", "first", "cause"),
    [({0: 1, 1: 0}, 0, 0), ({0: 1, 1: -9}, 0, 1), ({0: 0, 1: 2, 2: 1}, 1, 1)],
)
def test_signal_is_the_cause_of_other_failures(
    codes: dict[int, int], first: int, cause: int
) -> None:
    assert find_cause(codes, first) == cause


def test_run_of_one_process_refuses_several_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")
    monkeypatch.delenv("ORCH_RUN_DIR", raising=False)
    check_gpus(1)  # outside of orch, several GPUs are the usual case
    monkeypatch.setenv("ORCH_RUN_DIR", "x")
    check_gpus(2)
    with pytest.raises(
        ConfigError, match=r"has 2 GPUs .* Set world_size: 2, and orch.gpus_per_run"
    ):
        check_gpus(1)


def test_more_ranks_than_cpus_are_told() -> None:
    """Before they join each other, which takes long for many; they are as right as few."""
    assert describe_crowd(2, 2) == ""
    assert describe_crowd(99, 2).startswith("note: world_size: 99 ranks share 2 CPUs, so they take")
    assert "2 ranks share 1 CPU, so" in describe_crowd(2, 1)
