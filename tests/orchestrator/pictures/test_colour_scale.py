"""The colour scale of a metric."""

import pytest

from orchestrator.pictures.colour_scale import colours_of_lines, norm_of
from orchestrator.pictures.style import Appearance


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("values", [[], [3.0], [3.0, 3.0], [1e-9, 1e12], [1.0, 2.0]])
def test_scale_holds_all_values(values: list[float], *, log: bool) -> None:
    """However few or alike they are."""
    norm = norm_of(values, Appearance(log_y=log))
    assert all(0 <= float(norm(value)) <= 1 for value in values)


@pytest.mark.parametrize("value", [0.0, 0.82, -3.0])
def test_value_alone_is_in_the_middle_of_a_narrow_scale(value: float) -> None:
    """Ticks beside it say what it is."""
    norm = norm_of([value], Appearance())
    assert float(norm(value)) == pytest.approx(0.5)
    assert norm.vmax - norm.vmin <= max(2.0, abs(value) / 5)


def test_lines_have_no_colour_that_is_lost_on_the_page() -> None:
    assert colours_of_lines(Appearance())(1.0)[0] < 0.9
    assert sum(colours_of_lines(Appearance(dark=True))(0.0)[:3]) > 1
