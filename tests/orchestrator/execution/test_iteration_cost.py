"""What a number of iterations costs that no run has had."""

from math import exp, log

import pytest

from orchestrator.execution.iteration_cost import SeenCost, continue_curve


def seen(start: float, *counts: int, noise: float = 0.02) -> dict[float, SeenCost]:
    """Return the costs of a start, and of one second per iteration."""
    return {count: SeenCost(log(start + count), noise**2) for count in counts}


@pytest.mark.parametrize("start", [0, 3, 100])
@pytest.mark.parametrize("count", [30, 2000])
def test_start_counts_once(start: int, count: int) -> None:
    """However much of the cost it was so far."""
    told, doubt = continue_curve(count, seen(start, 5, 10, 20))
    assert abs(told - log(start + count)) < 2 * doubt
    assert told == pytest.approx(log(start + count), abs=0.35)


def test_costs_that_do_not_show_iterations_leave_it_open_how_much_they_cost() -> None:
    """Three and five take two seconds: a thousand take that, or many times that."""
    flat = {3.0: SeenCost(log(2), 0.1**2), 5.0: SeenCost(log(2), 0.1**2)}
    told, doubt = continue_curve(1000, flat)
    assert 4 < exp(told) < 2 * 1000 / 3
    assert exp(told - 2 * doubt) < 6
    assert exp(told + 2 * doubt) > 100
