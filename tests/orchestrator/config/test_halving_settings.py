"""Halving is written as one string or as a mapping; anything else is one line."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.config.halving_settings import Halving, parse_halving
from orchestrator.errors import ConfigError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("validation/loss:min:3", Halving("validation/loss", True, 3)),
        ("acc:max:2:4", Halving("acc", False, 2, 4)),
        ("acc:max:2:4:async", Halving("acc", False, 2, 4, is_asynchronous=True)),
        ("acc:max:2:async", Halving("acc", False, 2, is_asynchronous=True)),
        ("a:b:max:2", Halving("a:b", False, 2)),
        ("min:min:2", Halving("min", True, 2)),
        ({"metric": "loss", "mode": "min"}, Halving("loss", True, 3)),
        (
            {"metric": "loss", "mode": "max", "factor": 4, "rungs": [2, 5], "asynchronous": True},
            Halving("loss", False, 4, rungs=(2, 5), is_asynchronous=True),
        ),
        ({"metric": "loss", "mode": "max", "minimum": 7}, Halving("loss", False, 3, 7)),
        (
            {"metric": "loss", "mode": "min", "steps_from": 0},
            Halving("loss", True, 3, steps_from=0),
        ),
        (None, None),
        ("none", None),
    ],
)
def test_halving_is_read_from_both_forms(value: Any, expected: Halving | None) -> None:
    assert parse_halving(value, "orch.halving") == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("loss", "orch.halving is 'loss'. Write it as METRIC:MODE:N[:MINIMUM][:async]"),
        ("loss:low:3", "Write it as METRIC:MODE:N"),
        ("loss:min:3:", "Write it as METRIC:MODE:N"),
        ("loss:min:1", "MODE is min or max, N is 2 or more"),
        ("loss:mni:3", "MODE is min or max"),
        ("loss:min:3:0", "and MINIMUM, the first rung, 1 or more."),
        (3, "orch.halving is 3. Write it as"),
        (["loss"], "or as a mapping"),
        ({"metrik": "loss"}, "orch.halving has no setting 'metrik'. Use one of metric, mode"),
        ({"mode": "min"}, "orch.halving.metric is None. Name the metric"),
        ({"metric": "loss"}, "orch.halving.mode is None. Set it to min or max."),
        ({"metric": "loss", "mode": "min", "factor": 2.5}, "orch.halving.factor is 2.5"),
        ({"metric": "loss", "mode": "min", "factor": True}, "orch.halving.factor is True"),
        ({"metric": "loss", "mode": "min", "asynchronous": 1}, "Set it to true or false."),
        (
            {"metric": "loss", "mode": "min", "steps_from": 2},
            "orch.halving.steps_from is 2. Set it to 0",
        ),
        (
            {"metric": "loss", "mode": "min", "steps_from": False},
            "steps_from is False. Set it to 0",
        ),
        ({"metric": "loss", "mode": "min", "rungs": 3}, "List iterations, such as [2, 6, 18]."),
        ({"metric": "loss", "mode": "min", "rungs": [3, 3]}, "List each iteration once"),
        ({"metric": "loss", "mode": "min", "rungs": [0, 3]}, "orch.halving.rungs is 0"),
        (
            {"metric": "loss", "mode": "min", "rungs": [3], "minimum": 2},
            "orch.halving.minimum and orch.halving.rungs exclude each other",
        ),
    ],
)
def test_halving_that_is_none_is_refused_in_one_line(value: Any, message: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse_halving(value, "orch.halving")
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_rungs_are_a_power_of_the_factor_apart_or_those_listed() -> None:
    assert [Halving("loss", True, 3, 2).rung(number) for number in range(4)] == [2, 6, 18, 54]
    assert [Halving("loss", True, 3, rungs=(2, 5)).rung(number) for number in range(3)] == [
        2,
        5,
        None,
    ]
    assert Halving("loss", True, 10).rung(100) is None
    assert [*Halving("loss", True, 3, 2).rungs_up_to(18)] == [2, 6, 18]
    assert [*Halving("loss", True, 3, rungs=(2, 5)).rungs_up_to(9)] == [2, 5]
    assert [*Halving("loss", True, 3, 2).rungs_up_to(1)] == []
