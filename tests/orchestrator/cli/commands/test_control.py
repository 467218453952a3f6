"""``orch control`` asks the ``orch run`` of an experiment to change, if there is one."""

import fcntl
import json
import os
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from orchestrator.errors import UsageError
from orchestrator.rundir.control_file import ControlRequest
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.runner.nvml_library import nvml_library

from .conftest import GRID, Grid


@pytest.fixture(autouse=True)
def _gpus(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the machine have four GPUs."""
    nvml = SimpleNamespace(
        NVMLError=RuntimeError,
        NVMLError_NotSupported=RuntimeError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 4,
        nvmlDeviceGetHandleByIndex=lambda number: number,
        nvmlDeviceGetMemoryInfo=lambda _: SimpleNamespace(total=1 << 30),
        nvmlDeviceGetUUID=lambda number: f"GPU-{number}",
        nvmlDeviceGetName=lambda _: "H200",
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    nvml_library.cache_clear()
    yield
    nvml_library.cache_clear()


def test_experiment_that_nothing_executes_is_not_asked(
    grid: Grid, output: Callable[[], str]
) -> None:
    grid.make(0.1, 0)
    assert grid.orch("control", "--pause", *GRID) == 0
    assert output() == "No orch run executes grid: nothing was changed.\n"
    assert not list(grid.experiment.path.glob("control*"))


def test_orchestrators_at_work_are_asked_as_the_options_say(
    grid: Grid, output: Callable[[], str]
) -> None:
    grid.make(0.1, 0)
    at_work = ExperimentDirectory(grid.experiment.results_dir, "grid")
    control, stop = at_work.control_file(), at_work.stop_file()
    at_work.join()
    assert grid.orch("control", *GRID, "--workers", "4", "--without-gpu", "3", "--pause") == 0
    told = output()
    assert "Asked every orch run of grid: 4 workers, pause, without GPU 3." in told
    assert control.news()[0] == [ControlRequest(4, paused=True, without_gpus=(3,))]
    assert grid.orch("control", *GRID, "--resume", "--with-gpu", "3", "--json") == 0
    said = json.loads(output())
    assert (said["asked"], said["paused"], said["with_gpus"]) == (True, False, [3])
    assert control.news()[0] == [ControlRequest(paused=False, with_gpus=(3,))]
    assert stop.news() == ""
    grid.orch("control", *GRID, "--drain")
    assert (stop.news(), control.news()) == ("drain", ([], ""))


def test_reporter_that_works_for_the_experiment_keeps_no_request_waiting(grid: Grid) -> None:
    """It holds the lock of the experiment's folder as long as it lives."""
    grid.make(0.1, 0)
    at_work = ExperimentDirectory(grid.experiment.results_dir, "grid")
    control = at_work.control_file()
    at_work.join()
    turn = os.open(grid.experiment.path, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(turn, fcntl.LOCK_EX)
    grid.orch("control", *GRID, "--pause")
    os.close(turn)
    assert control.news()[0] == [ControlRequest(paused=True)]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ([], "nothing is to be changed"),
        (["--workers", "0"], "--workers is less than 1"),
        (["--without-gpu", "1", "--with-gpu", "1"], "exclude each other"),
        (["--pause", "--resume"], "exclude each other"),
        (
            ["--without-gpu", "77"],
            r"--without-gpu 77: there is no such GPU. This machine has 0 \(H200\), 1 .*, 3 \(H200\).",
        ),
        (["--with-gpu", "77"], "--with-gpu 77: there is no such GPU"),
        (["--without-gpu", "-1"], "is not a whole number of 0 or more|expected one argument"),
    ],
)
def test_request_that_makes_no_sense_is_refused(grid: Grid, options: list[str], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        grid.orch("control", *options)
