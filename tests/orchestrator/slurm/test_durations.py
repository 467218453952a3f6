"""Durations are read and written as Slurm does."""

import pytest
from hypothesis import given
from hypothesis.strategies import integers

from orchestrator.slurm.durations import format_time, parse_time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0:57", 57), ("12:00", 720), ("4:00:00", 14400), ("1-02:03:04", 93784), ("UNLIMITED", None)],
)
def test_time_left_is_read(text: str, seconds: float | None) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "INVALID", "NOT_SET", "1:2:3:4", "-5", "1-2"])
def test_words_are_no_duration(text: str) -> None:
    assert parse_time(text) is None


@given(integers(1, 10**7))
def test_duration_is_rounded_up_to_a_minute(seconds: int) -> None:
    """As Slurm does: less would be refused, or cut."""
    read = parse_time(format_time(seconds))
    assert read is not None
    assert (read % 60, 0 <= read - seconds < 60) == (0, True)
