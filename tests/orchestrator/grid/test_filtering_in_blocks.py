"""Tests of orchestrator.grid.filtering_in_blocks, beside judging and hashing each point by itself."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import FilterError
from orchestrator.grid.config_template import ConfigTemplate, Part, combinations, fill
from orchestrator.grid.filter_parser import parse_condition, parse_filter
from orchestrator.grid.filtering_in_blocks import BlockSelection, dotted, strides
from orchestrator.grid.filters_per_point import Rules
from orchestrator.grid.identity import identify

FILTERS = [
    "x == 1 ! y > 0",
    "n.z < 2 ! x in [0, 2]",
    'n.s == "%b" ! x == y',
    "n.z == 1 | y == 2 ! x == 2",
]


def _template(sizes: list[int], fixed: dict[int, int]) -> ConfigTemplate:
    """Return three axes x, y and z, and a value that depends on two of them."""
    free = [number for number in range(3) if number not in fixed]
    paths = {0: ("x",), 1: ("y",), 2: ("n", "z")}
    parts = [Part(paths[axis], (axis,), {(at,): at for at in range(sizes[axis])}) for axis in free]
    if len(free) >= 2:
        both = (free[0], free[1])
        texts = {at: ["%b", "100 %", "a"][sum(at) % 3] for at in combinations(both, sizes)}
        parts.append(Part(("n", "s"), both, texts))
    config = {"x": 0, "y": 0, "n": {"z": 0, "s": "%b"}, "same": [1, "50 %"]}
    for axis, at in fixed.items():
        config = fill(config, [Part(paths[axis], (), {(): at})], lambda part: part.values[()])
    return ConfigTemplate(fixed, config, tuple(parts))


@given(
    sizes=st.lists(st.integers(1, 4), min_size=3, max_size=3),
    fixed=st.sampled_from([{}, {0: 0}, {1: 0}, {0: 0, 1: 0}]),
    filters=st.lists(st.sampled_from(FILTERS), max_size=3, unique=True),
    exclude=st.sampled_from([[], ["y"], ["n.s"]]),
)
def test_blocks_say_of_each_point_what_the_point_itself_says(
    sizes: list[int], fixed: dict[int, int], filters: list[str], exclude: list[str]
) -> None:
    """The same points stay, with the same digests, and the same filter drops the others."""
    template = _template(sizes, fixed)
    parsed = [parse_filter(text) for text in filters]
    kept: dict[int, bytes] = {}
    dropped: dict[int, int] = {}
    for block in BlockSelection(template, sizes, Rules(filters), str).select(exclude):
        kept.update(zip(block.kept, block.digests, strict=True))
        dropped.update(block.dropped)
    assert template.parts is not None
    for number, at in enumerate(combinations(range(3), sizes)):
        if any(at[axis] != position for axis, position in fixed.items()):
            assert number not in kept
            assert number not in dropped
            continue
        config = fill(
            template.config,
            template.parts,
            lambda part, at=at: part.values[tuple(at[axis] for axis in part.axes)],  # type: ignore[misc]
        )
        first = next((n for n, item in enumerate(parsed) if item.excludes(config)), None)
        assert dropped.get(number) == first
        if first is None:
            assert kept[number].hex() == identify(config, {}, exclude).digest


def test_first_point_that_a_filter_cannot_order_is_named() -> None:
    """Numbers and strings have no order."""
    parts = (Part(("x",), (0,), {(0,): 1, (1,): "a"}),)
    selection = BlockSelection(
        ConfigTemplate({}, {"x": 1}, parts), [2], Rules(["x > 0 ! x > 0"]), "point {}".format
    )
    with pytest.raises(FilterError, match=r"no order(.|\n)*at the point point 1"):
        list(selection.select([]))


@pytest.mark.parametrize(
    ("sizes", "expected"), [([], []), ([3], [1]), ([2, 3, 4], [12, 4, 1]), ([1, 1], [1, 1])]
)
def test_stride_of_an_axis_is_the_number_of_points_behind_it(sizes: Any, expected: Any) -> None:
    """The last axis turns fastest."""
    assert strides(sizes) == expected


@pytest.mark.parametrize(
    ("path", "text"), [(("a",), "a"), (("a", "b"), "a.b"), (("a", 0, "b"), "a[0].b"), ((0,), "0")]
)
def test_path_is_written_as_keys_are(path: Any, text: str) -> None:
    """Items of lists stand in brackets."""
    assert dotted(path) == text


def test_keys_that_no_point_has_are_found() -> None:
    """Those below a value that varies are looked for in each combination."""
    parts = (Part(("m",), (0,), {(0,): {"a": 1}, (1,): {"b": 1}}),)
    selection = BlockSelection(ConfigTemplate({}, {"m": {"a": 1}}, parts), [2], Rules(), str)
    assert selection.unknown(["m.a", "m.b", "m.c", "x"]) == ["m.c", "x"]


@given(
    condition=st.sampled_from(["x == 1", "y > 0 | x == 2", "n.z != 1 & x < 2"]),
    texts=st.lists(
        st.sampled_from([[], FILTERS[:1], FILTERS[1:3], ["y == y ! n.z == 0"]]), min_size=3
    ),
)
def test_blocks_judge_each_point_by_its_own_filters_and_the_condition(
    condition: str, texts: list[list[str]]
) -> None:
    """Which filters there are depends on an axis here; those kept that meet the condition are told."""
    sizes = [3, 2, 2]
    template = _template(sizes, {})
    part = Part(("_filters",), (0,), {(at,): list(texts[at]) for at in range(3)})
    template = ConfigTemplate(
        {}, {**template.config, "_filters": texts[0]}, (*template.parts, part)
    )  # type: ignore[misc, dict-item]
    rules = Rules(["n.z == 1 ! y == 1 & x == 0"], parse_condition(condition))
    kept: list[int] = []
    meant: list[int] = []
    dropped: dict[int, int] = {}
    for block in BlockSelection(template, sizes, rules, str).select([]):
        kept += block.kept
        meant += block.meant or ()
        dropped.update(block.dropped)
    for number, at in enumerate(combinations(range(3), sizes)):
        config = fill(
            template.config,
            template.parts or (),
            lambda part, at=at: part.values[tuple(at[axis] for axis in part.axes)],  # type: ignore[misc]
        )
        excluded_by, is_meant = rules.judge(config, {})
        assert dropped.get(number) == excluded_by
        assert (number in kept) == (excluded_by is None)
        assert (number in meant) == is_meant
