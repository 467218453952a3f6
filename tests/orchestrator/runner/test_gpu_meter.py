"""The meter of an attempt: the most memory that its processes used, and how many runs shared the GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.runner import process_tree
from orchestrator.runner.gpu_meter import CONTEXT, GpuMeter, combine_peaks, count_runs

OWN = os.getpid()


def meter(gpus: str, *looks: Mapping[int, int] | None) -> GpuMeter:
    told = iter(looks)
    made = GpuMeter(gpus, lambda _: next(told))
    made.begin(100.0)
    return made


def test_most_of_all_looks_counts_over_all_gpus() -> None:
    found = meter("GPU-0,GPU-1", {OWN: 5, 1: 99}, {OWN: 6}, {OWN: 3}, {OWN: 1})
    for moment in (101.0, 101.5, 102.0):
        assert found.look(moment) == 0.0
    assert found.peak == 11


def test_attempt_of_less_than_a_second_does_not_ask_the_driver() -> None:
    found = meter("GPU-0")
    assert found.look(100.9) == 0.0
    assert found.peak is None


def test_attempt_without_a_gpu_does_not_ask_the_driver() -> None:
    found = GpuMeter(None, lambda _: pytest.fail("it asked"))
    assert found.look(999.0) == 0.0


def test_driver_that_hides_processes_tells_nothing() -> None:
    found = meter("GPU-0", None, {})
    found.look(101.0)
    found.look(102.0)
    assert found.peak is None


def test_time_that_other_runs_have_taken_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a GPU that three runs share, two thirds; processes that belong to no run do not count."""
    runs = [tmp_path / "a", tmp_path / "a", tmp_path / "b"]
    others = [
        subprocess.Popen(
            [sys.executable, "-c", "print(flush=True); input()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"ORCH_RUN_DIR": str(run)},
        )
        for run in runs
    ]
    try:
        for each in others:  # before, its environment may not be there
            assert each.stdout is not None
            each.stdout.readline()
        pids = [each.pid for each in others]
        assert count_runs([*pids, 0, 1]) == 2
        monkeypatch.setattr(process_tree, "below", lambda _: [])  # otherwise, they would be our own
        found = meter("GPU-0", *[{OWN: 1, **dict.fromkeys(pids, 1)}] * 2)
        assert found.look(101.0) == 0.0  # before, nobody is known to have been there
        assert found.look(104.0) == pytest.approx(2.0)
        assert found.peak == 1
    finally:
        for each in others:
            each.communicate()


@pytest.mark.parametrize(
    ("seen", "reserved", "peak"),
    [
        (None, None, None),
        (5, None, 5),
        (5, 4, 5),
        (5, 6, 6 + CONTEXT),  # a peak between two looks
        (None, 6, 6 + CONTEXT),
    ],
)
def test_peak_of_the_allocator_counts_with_the_context_it_does_not_know(
    seen: int | None, reserved: int | None, peak: int | None
) -> None:
    assert combine_peaks(seen, reserved) == peak
