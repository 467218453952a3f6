"""The points in ``metrics.jsonl`` are read as a naive reading of every line finds them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rundir.metric_points import (
    parse_last_iteration,
    parse_last_points,
    parse_last_step,
    parse_point,
    parse_times,
)
from orchestrator.rundir.records import as_number

_KEYS = st.sampled_from(["loss", "lr", 'a"b', "löss", "a\\", ""])
_VALUES = st.sampled_from([0, 0.5, -1, "NaN", "text", "1", None, [1], True])
_POINTS = st.tuples(_KEYS, _VALUES, st.sampled_from([1, 2, "x"]))


def _lines(points: list[tuple[str, object, object]], *, key_first: bool, is_torn: bool) -> bytes:
    order = ("key", "value", "step") if key_first else ("value", "step", "key")
    found = [dict(zip(("key", "value", "step"), point, strict=True)) for point in points]
    lines = [json.dumps({name: point[name] for name in order}) for point in found]
    text = "\n".join(["nonsense", *lines])
    return text[: len(text) - 3 * is_torn].encode()


@given(st.lists(_POINTS), st.booleans(), st.booleans(), st.sets(_KEYS))
def test_last_number_of_each_metric_is_found(
    points: list[tuple[str, object, object]],
    key_first: bool,  # noqa: FBT001 # hypothesis passes it by place
    is_torn: bool,  # noqa: FBT001 # hypothesis passes it by place
    known: set[str],
) -> None:
    """The last text, if a metric has no number."""
    lines = _lines(points, key_first=key_first, is_torn=is_torn)
    expected: dict[str, float | str] = {}
    for key, value, _ in filter(None, map(parse_point, lines.splitlines())):
        is_number = as_number(value) is not None
        if is_number or as_number(expected.get(key)) is None:
            expected[key] = value
    assert parse_last_points(lines) == expected
    found = parse_last_points(lines, known)
    assert {**expected, **found} == expected
    assert {*expected} - known <= {*found}


@pytest.mark.parametrize("end", [b"\n", b""])
@pytest.mark.parametrize("between", [b"\n", b"\r", b"\n\n", b"\nnonsense\n"])
def test_unknown_metric_is_found_among_known_ones(between: bytes, end: bytes) -> None:
    """Wherever its line begins; of lines of known metrics alone, nothing is new."""
    known = b'{"key": "loss", "value": 1.0, "step": 1}'
    other = known.replace(b"loss", b"lr")
    assert parse_last_points(between.join([known, known]) + end, {"loss", "norm"}) in (
        {},
        {"loss": 1.0},
    )
    for lines in ([known, other], [other, known], [known, other, known]):
        assert parse_last_points(between.join(lines) + end, {"loss", "norm"})["lr"] == 1.0


def test_last_step_is_that_of_the_last_point() -> None:
    """What is not a point has no step."""
    lines = _lines([("loss", 1, 4), ("loss", 1, 2), ("lr", None, 9)], key_first=True, is_torn=False)
    assert parse_last_step(lines) == 2
    assert parse_last_step(b"nonsense") is None
    assert parse_last_step(b'{"key": "a", "value": 7, "step": 1%s}' % (b"0" * 30)) is None


def test_last_iteration_is_none_that_was_merely_counted() -> None:
    """Unless all were; a file without marks has what it had."""
    printed, counted = (
        b'{"key": "loss", "value": 1, "step": 9}',
        b'{"key": "mse", "value": 1, "step": 1',
    )
    marked = counted + b', "counted": true}'
    assert parse_last_iteration(b"\n".join([printed, marked])) == 9
    assert parse_last_iteration(b"\n".join([printed, marked, marked])) == 9
    assert parse_last_iteration(b"\n".join([printed, counted + b"}"])) == 1
    assert parse_last_iteration(marked) == parse_last_step(marked) == 1
    assert parse_last_iteration(b"nonsense") is None


@pytest.mark.parametrize(
    "when", ["NaN", "Infinity", "1e308", "-1", "1" * 20, "true", '"x"', "null"]
)
@pytest.mark.parametrize("step", ["3", "1" * 401, "-5"])
def test_times_that_no_calendar_has_are_left_out(when: str, step: str) -> None:
    """Any program may write the file."""
    lines = f'{{"step": 1, "timestamp": 5}}\n{{"step": {step}, "timestamp": {when}}}'
    found = parse_times(lines.encode())
    assert found.pop(1) == 5
    assert all(0 <= each < 1e15 for each in found.values())
    huge = f'{{"step": {"1" * 401}, "timestamp": 5}}'
    assert parse_times(huge.encode()) == {}
