"""The order in which runs start."""

import pytest

from orchestrator.config.run_order import RunOrder, parse_order
from orchestrator.errors import ConfigError
from orchestrator.execution.ordering import arrange
from orchestrator.grid.identity import identify
from orchestrator.planning.plan import Decision, decide
from orchestrator.rundir.state import NOTHING_THERE


def decisions() -> list[Decision]:
    """Return six decisions, as declared: by model, then by seed."""
    points = [{"model": {"width": width}, "seed": s} for width in (30, 10, 20) for s in (0, 1)]
    return [decide(identify(point, point), NOTHING_THERE) for point in points]


def arranged(text: str) -> list[tuple[object, object]]:
    configs = [each.run.config for each in arrange(decisions(), parse_order(text, "--order"))]
    return [(config["model"]["width"], config["seed"]) for config in configs]  # type: ignore[index, call-overload]


def test_declared_order_stays() -> None:
    """It is the grid's own."""
    assert arranged("declared") == [(30, 0), (30, 1), (10, 0), (10, 1), (20, 0), (20, 1)]


def test_cheap_runs_come_first() -> None:
    """Equal ones keep their order."""
    assert arranged("cheap:model.width") == [(10, 0), (10, 1), (20, 0), (20, 1), (30, 0), (30, 1)]


def test_values_of_an_axis_take_turns() -> None:
    """One seed of every model first: what can be compared comes early."""
    assert arranged("round-robin:seed") == [(30, 0), (30, 1), (10, 0), (10, 1), (20, 0), (20, 1)]
    assert arranged("round-robin:model.width") == [
        (30, 0),
        (10, 0),
        (20, 0),
        (30, 1),
        (10, 1),
        (20, 1),
    ]


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (RunOrder("cheap", "modl"), "does not have this key. Did you mean 'model'?"),
        (RunOrder("cheap", "model"), "Name a key whose values are numbers"),
        (RunOrder("round-robin", "zzz"), "does not have this key"),
    ],
)
def test_key_that_gives_no_order_is_one_line(order: RunOrder, message: str) -> None:
    """It names the key and a run."""
    with pytest.raises(ConfigError) as refusal:
        list(arrange(decisions(), order))
    assert message in str(refusal.value)
