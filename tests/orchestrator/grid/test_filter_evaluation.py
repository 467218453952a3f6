"""A filter is evaluated once per combination of the values that it depends on."""

from collections.abc import Mapping

import pytest

from orchestrator.grid.config_template import ConfigTemplate, Part, combinations
from orchestrator.grid.filter_evaluation import FilterEvaluation
from orchestrator.grid.filter_parser import parse_condition
from orchestrator.grid.filters import Filter
from orchestrator.grid.filters_per_point import Rules

SIZES = (2, 3, 4)
PARTS = tuple(
    Part((name,), (axis,), {(at,): at for at in range(SIZES[axis])})
    for axis, name in enumerate("xyz")
)
TEMPLATE = ConfigTemplate({}, {"x": 0, "y": 0, "z": 0}, PARTS)


def test_only_the_axes_that_filters_read_are_distinguished() -> None:
    rules = Rules(["x == 1 ! y == 2"])
    assert FilterEvaluation(TEMPLATE, SIZES, rules, range(3)).axes == {0, 1}


def test_axis_that_decides_which_filters_there_are_is_distinguished() -> None:
    some = Part(("_filters",), (2,), {(at,): [] for at in range(4)})
    template = ConfigTemplate({}, {**TEMPLATE.config, "_filters": []}, (*PARTS, some))
    assert FilterEvaluation(template, SIZES, Rules(), range(3)).axes == {2}


def test_filter_is_evaluated_once_per_combination(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty-four points have six combinations of x and y."""
    seen: list[Mapping[str, object]] = []
    real = Filter.excludes

    def count(item: Filter, config: Mapping[str, object], choices: Mapping[str, str]) -> bool:
        seen.append(config)
        return real(item, config, choices)  # type: ignore[arg-type]

    monkeypatch.setattr(Filter, "excludes", count)
    evaluation = FilterEvaluation(TEMPLATE, SIZES, Rules(["x == 1 ! y == 2"]), range(3))
    points = [dict(enumerate(at)) for at in combinations(range(3), SIZES)]
    verdicts = [evaluation.judge(at) for at in points]
    assert len(seen) == 6
    assert [number is not None for number, _ in verdicts] == [
        at[0] == 1 and at[1] == 2 for at in points
    ]


def test_condition_holds_for_the_points_that_meet_it() -> None:
    evaluation = FilterEvaluation(TEMPLATE, SIZES, Rules((), parse_condition("z > 2")), range(3))
    assert evaluation.has_condition
    assert evaluation.judge({0: 0, 1: 0, 2: 3}) == (None, True)
    assert evaluation.judge({0: 0, 1: 0, 2: 1}) == (None, False)
