"""Heat maps as drawn."""

import math

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from orchestrator.pictures.figure import Caption, render
from orchestrator.pictures.heat_map import draw_heat_maps
from orchestrator.pictures.style import Appearance
from orchestrator.planning.results_by_axis import heat_of

from .rows import HOSTILE, table

METRIC = {"loss": "loss (last iteration)"}


def test_cells_hold_the_means_and_missing_ones_are_hatched() -> None:
    points = [{"a": 1, "b": "x"}, {"a": 2, "b": "x"}, {"a": 2, "b": "y"}]
    heat = heat_of(table(*points, loss=[1.0, 2.0, math.nan]), "a", "b")
    figure = draw_heat_maps(heat, ("a", "b"), METRIC, Caption(), Appearance())
    panel, bar = figure.axes
    shown = np.ma.filled(panel.images[0].get_array(), np.nan)
    assert np.array_equal(shown, [[1, np.nan], [2, np.nan]], equal_nan=True)
    hatched = [patch.get_xy() for patch in panel.patches if isinstance(patch, Rectangle)]
    assert hatched == [(0.5, -0.5), (0.5, 0.5)]
    assert [text.get_text() for text in panel.texts] == ["1", "2"]
    assert (panel.get_ylabel(), panel.get_xlabel()) == ("a", "b")
    assert [label.get_text() for label in panel.get_xticklabels()] == ["x", "y"]
    assert bar.get_ylabel() == "loss (last iteration)"


def test_cell_says_when_not_all_of_its_runs_count() -> None:
    points = [{"a": 1, "b": 1, "seed": 0}, {"a": 1, "b": 1, "seed": 1}]
    found = table(*points)
    found.rows[0].members[1][1].metrics.clear()  # type: ignore[union-attr] # a dictionary
    heat = heat_of(found, "a", "b")
    panel = draw_heat_maps(heat, ("a", "b"), METRIC, Caption(), Appearance()).axes[0]
    assert panel.texts[0].get_text().endswith("1 of 2")


def test_large_maps_have_fewer_labels_and_no_numbers() -> None:
    points = [{"a": n // 30, "b": n % 30} for n in range(900)]
    heat = heat_of(table(*points), "a", "b")
    figure = draw_heat_maps(heat, ("a", "b"), METRIC, Caption(["note"]), Appearance(dark=True))
    assert not figure.axes[0].texts
    render(figure, "png", Appearance())


def test_no_character_of_a_value_has_a_meaning() -> None:
    points = [{"a": text, "b": other} for text in HOSTILE for other in HOSTILE]
    heat = heat_of(table(*points), "a", "b")
    render(draw_heat_maps(heat, ("a", "b"), METRIC, Caption(), Appearance()), "svg", Appearance())


@pytest.mark.parametrize(("columns", "are_shown"), [(8, True), (60, False)])
def test_numbers_stay_within_their_cells(columns: int, *, are_shown: bool) -> None:
    points = [{"a": n % 2, "b": n} for n in range(columns)]
    heat = heat_of(table(*points, loss=[0.0528 + n for n in range(columns)]), "a", "b")
    look = Appearance(size=(3.3, 2.5))
    panel = draw_heat_maps(heat, ("a", "b"), METRIC, Caption(), look).axes[0]
    widths = [text.get_window_extent().width for text in panel.texts]
    assert bool(widths) is are_shown
    assert max(widths, default=0) <= panel.get_window_extent().width / columns
