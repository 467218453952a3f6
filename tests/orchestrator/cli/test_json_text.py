"""What commands print as JSON is JSON: any parser reads it."""

from __future__ import annotations

import json
import math
from typing import NoReturn

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cli.json_text import json_text

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
    max_leaves=9,
)


def refuse(constant: str) -> NoReturn:
    raise AssertionError(constant)


@given(ANYTHING, st.sampled_from([None, 2]))
def test_any_value_is_json(content: object, indent: int | None) -> None:
    """Python's own writer makes names of numbers that are not finite, which jq and JavaScript refuse."""
    json.loads(json_text(content, indent=indent), parse_constant=refuse)


def test_words_are_those_of_the_run_directory() -> None:
    content = {"a": math.nan, "b": [math.inf, (-math.inf, 1)], "c": 0.5, "d": True}
    told = {"a": "NaN", "b": ["Infinity", ["-Infinity", 1]], "c": 0.5, "d": True}
    assert json.loads(json_text(content)) == told
