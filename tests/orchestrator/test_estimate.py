"""How long a grid still takes."""

import pytest

from orchestrator.estimate import LiveRun, Pace, describe_seconds, estimate


def test_nobody_knows_before_anything_has_happened() -> None:
    """No figure is better than a wrong one."""
    assert estimate([], [LiveRun(3.0)], waiting=5, slots=2) == Pace()


def test_live_runs_tell_by_their_iterations() -> None:
    """What an attempt did itself counts, not what was saved before it."""
    live = [LiveRun(10.0, before=5, iteration=6, iterations=10)]
    assert estimate([], live, waiting=0, slots=1).remaining == pytest.approx(40.0)


def test_finished_siblings_tell_what_the_others_take() -> None:
    """Runs that wait are shared out among the slots."""
    pace = estimate([10.0, 20.0, 30.0], [LiveRun(5.0), LiveRun(15.0)], waiting=4, slots=2)
    assert pace.remaining == pytest.approx((15 + 5 + 80) / 2)
    assert pace.rate == pytest.approx(3600 * 2 / 20)


def test_end_is_not_before_the_last_live_run() -> None:
    """One long run keeps the grid going, whatever the slots."""
    live = [LiveRun(10.0, iteration=1, iterations=10)]
    assert estimate([1.0] * 8, live, waiting=0, slots=8).remaining == pytest.approx(90.0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.6, "60 s"),
        (100, "2 min"),
        (3500, "58 min"),
        (3600, "1 h 00 min"),
        (11_100, "3 h 05 min"),
        (187_200, "2 d 4 h"),
    ],
)
def test_durations_read_like_durations(seconds: float, text: str) -> None:
    """Two units at most."""
    assert describe_seconds(seconds) == text
