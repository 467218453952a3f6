"""The time that is left decides what still starts, and when runs are asked for a checkpoint."""

import time

import pytest

from orchestrator.execution.stop_requests import StopLevel
from orchestrator.execution.wall_time_limit import UNLIMITED, TimeLimit, limit_in


@pytest.mark.parametrize(
    ("left", "level"),
    [
        (1000, StopLevel.NOT_ASKED),
        (150, StopLevel.DRAIN),
        (100, StopLevel.AT_CHECKPOINT),
        (-5, StopLevel.AT_CHECKPOINT),
    ],
)
def test_nothing_starts_that_cannot_reach_a_checkpoint(left: float, level: StopLevel) -> None:
    """It needs an iteration, and then the time that is kept for the last checkpoint."""
    limit = TimeLimit(time.monotonic() + left, grace=110)
    assert limit.level(iteration=60) is level


def test_without_a_limit_nothing_stops() -> None:
    assert UNLIMITED.level(1e9) is StopLevel.NOT_ASKED


@pytest.mark.parametrize(("seconds", "grace"), [(40, 10), (4000, 120)])
def test_of_a_short_time_a_quarter_is_kept(seconds: float, grace: float) -> None:
    assert limit_in(seconds, 120).grace == grace
