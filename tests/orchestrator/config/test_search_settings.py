"""Tests of orchestrator.config.search_settings."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.config.orch_settings import parse_settings
from orchestrator.config.search_settings import SearchSettings
from orchestrator.errors import ConfigError


def test_metric_and_number_of_points_are_enough() -> None:
    """The name of the metric tells the direction."""
    found = parse_settings({"search": {"metric": "loss", "points": 5}}).search
    assert found == SearchSettings("loss", 5, "", 0, "tpe")
    assert parse_settings({"search": None}).search is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"metric": None}, "orch.search.metric is not set"),
        ({"metric": 3}, "orch.search.metric is not set"),
        ({"points": None}, "orch.search.points is not set"),
        ({"points": 0}, "orch.search.points"),
        ({"direction": "up"}, "orch.search.direction is 'up'. Set it to min or max"),
        ({"sampler": "grid"}, "orch.search.sampler is 'grid'. Set it to tpe or random"),
        ({"seed": 1.5}, "orch.search.seed is 1.5. Set it to a whole number"),
        ({"point": 3}, "orch.search has no setting 'point'. Did you mean 'points'"),
    ],
)
def test_wrong_setting_is_refused_by_name(change: dict[str, Any], why: str) -> None:
    """With what to write instead."""
    with pytest.raises(ConfigError, match=why):
        parse_settings({"search": {"metric": "loss", "points": 5, **change}})
