"""The keys of the group `stopping` are checked before anything is trained."""

from typing import Any

import pytest

from trainer.errors import ConfigError
from trainer.settings import read_settings

LOSS = "validation/loss"


@pytest.mark.parametrize(
    ("group", "said"),
    [
        ({"patience": 0}, "stopping.patience: 0 is not a whole number of at least 1"),
        ({"patience": True}, "stopping.patience: True is not"),
        (
            {"patience": 2, "min_change": -1},
            "stopping.min_change: -1 is not a number of at least 0",
        ),
        ({"patience": 2, "min_change": "x"}, "stopping.min_change: 'x' is not"),
        ({"patience": 2, "from_iteration": 0}, "stopping.from_iteration: 0 is not"),
        ({"time_limit": "soon"}, "stopping.time_limit: 'soon' is not a time"),
        ({"time_limit": 0}, "stopping.time_limit: 0 is not a time"),
        ({"time_limit": True}, "stopping.time_limit: True is not a time"),
        ({"time_limit": [1]}, "stopping.time_limit: .* is not a time"),
        ({"patince": 3}, "stopping.patince: this key is unknown. Use one of metric,"),
        ({"min_change": 0.1}, "stopping.min_change: it has no effect without stopping.patience"),
        ({"metric": LOSS}, "stopping.metric: it has no effect without stopping.patience"),
        ({"patience": 2, "metric": "odd"}, "stopping.metric: 'odd' does not tell"),
        ({"patience": 2, "metric": LOSS, "mode": "less"}, "stopping.mode: 'less' is not one of"),
        ({"patience": 2, "mode": "min"}, "stopping.mode: min needs a metric"),
    ],
)
def test_wrong_key_is_refused_in_one_line(group: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_settings({"seed": 0, "iterations": 1, "stopping": group})


@pytest.mark.parametrize(("value", "seconds"), [("1h30m", 5400), (20, 20), (0.5, 0.5), ("90s", 90)])
def test_time_limit_is_read(value: object, seconds: float) -> None:
    settings = read_settings({"seed": 0, "iterations": 1, "stopping": {"time_limit": value}})
    assert settings.stopping.time_limit == seconds
