"""Tests of orchestrator.planning.proposals."""

from __future__ import annotations

import math
from typing import Any

import pytest

from orchestrator.config.search_settings import SearchSettings
from orchestrator.grid.search_space import Dimension, SearchSpace
from orchestrator.planning.proposals import PointOutcome, TriedPoint, propose

pytest.importorskip("optuna")

SPACE = SearchSpace((Dimension("x", -5.0, 10.0), Dimension("kind", values=("a", "b"))))
SETTINGS = SearchSettings("loss", 100)


def _propose(trials: Any = (), *, space: Any = SPACE, allowed: Any = None, **more: Any) -> Any:
    settings = SearchSettings("loss", 100, **more)
    return propose(space, settings, trials, allowed or (lambda _: True), is_maximized=False)


def _trials(count: int) -> list[TriedPoint]:
    return [
        TriedPoint((x, float(at % 2)), PointOutcome.MEASURED, (x - 3) ** 2)
        for at, x in enumerate(-5 + 15 * at / count for at in range(count))
    ]


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_proposal_depends_on_the_trials_and_the_seed_only(sampler: str) -> None:
    """The same study proposes the same point, in whatever process."""
    first = _propose(_trials(15), sampler=sampler)
    assert first == _propose(_trials(15), sampler=sampler)
    assert first != _propose(_trials(15), sampler=sampler, seed=1)
    assert first != _propose(_trials(16), sampler=sampler)


def test_proposals_improve_on_what_was_measured() -> None:
    """Most of them are near the best points so far."""
    near = [abs(_propose(_trials(40), seed=seed)["x"] - 3) < 3 for seed in range(10)]
    assert sum(near) >= 8


def test_points_that_are_not_allowed_are_not_proposed() -> None:
    """A filter, or a run that exists, may exclude most of a space."""
    found = _propose(_trials(20), allowed=lambda point: point["kind"] == "b" and point["x"] < -3)
    assert found["kind"] == "b"
    assert found["x"] < -3


def test_last_point_of_a_small_space_is_found() -> None:
    """However few are left; then there is none."""
    space = SearchSpace((Dimension("n", 1, 40, is_whole=True), Dimension("m", values=(1, 2, 3))))
    last = {"n": 37, "m": 2}
    assert _propose(space=space, allowed=lambda point: point == last) == last
    assert _propose(space=space, allowed=lambda _: False) is None


def test_small_space_without_a_point_left_is_seen_at_once() -> None:
    """Each point is looked at once; two thousand proposals that are repeats took seconds."""
    space = SearchSpace((Dimension("x", values=(1, 2, 3)), Dimension("kind", values=("a", "b"))))
    asked: list[Any] = []
    assert _propose(space=space, allowed=asked.append) is None
    assert len(asked) == 6


def test_space_without_an_allowed_point_is_given_up() -> None:
    """An interval cannot be tried point by point."""
    assert _propose(allowed=lambda _: False) is None


def test_runs_without_a_value_keep_proposals_away_from_them() -> None:
    """What is running is not proposed again, and what failed does not count."""
    trials = _trials(20)
    open_ones = [TriedPoint((3.0, 0.0), PointOutcome.OPEN, math.nan)] * 5
    failed = [TriedPoint((3.0, 0.0), PointOutcome.NOTHING)] * 5
    assert _propose([*trials, *open_ones]) is not None
    assert _propose([*trials, *failed]) is not None
    assert _propose(open_ones) is not None
