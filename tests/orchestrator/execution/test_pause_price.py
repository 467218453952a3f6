"""What a pause takes is measured from the points of the attempts that pause."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.execution.events import Pauses
from orchestrator.execution.pause_price import PausePrice
from orchestrator.rundir.state import Progress

if TYPE_CHECKING:
    from orchestrator.grid.identity import Run
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.experiment import ExperimentDirectory


class FakeRunning:
    """An attempt that began after some iterations, and took some seconds."""

    def __init__(self, seconds: float, before: int) -> None:
        self.seconds = seconds
        self.before = before


def note(price: PausePrice, directory: RunDirectory, *, seconds: float, before: int) -> None:
    """Add an attempt whose run now has four iterations of a second each."""
    running: Any = FakeRunning(seconds, before)
    price.note(directory, running, Progress(4, 9, {}))


@pytest.fixture
def directory(experiment: ExperimentDirectory, runs: list[Run]) -> RunDirectory:
    made = experiment.create(runs[0])
    began = int(time.time() * 1000)
    lines = [
        json.dumps({"key": key, "value": 1.0, "step": step, "timestamp": began + 1000 * step})
        for step in range(1, 5)
        for key in ("loss", "lr")
    ]
    made.metrics.write_text("\n".join([*lines, '"torn', "[]"]) + "\n")
    return made


def test_price_is_what_is_left_of_the_time_after_the_iterations(directory: RunDirectory) -> None:
    price = PausePrice()
    assert price.pauses() == Pauses(0, None)
    note(price, directory, seconds=4.5, before=0)
    note(price, directory, seconds=2.3, before=2)
    note(price, directory, seconds=1.4, before=3)  # one iteration tells no pace, the others do
    found = price.pauses()
    assert (found.count, found.seconds) == (3, pytest.approx(0.4))


def test_nothing_is_said_if_no_attempt_has_two_iterations(directory: RunDirectory) -> None:
    price = PausePrice()
    note(price, directory, seconds=1.4, before=3)
    note(price, directory, seconds=1.4, before=4)  # it did nothing
    assert price.pauses() == Pauses(1, None)
