"""The order of runs is written as one word, and what it is about."""

from __future__ import annotations

import pytest

from orchestrator.config.run_order import RunOrder, parse_order
from orchestrator.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("declared", RunOrder()),
        ("cheap:model.width", RunOrder("cheap", "model.width")),
        ("round-robin:seed", RunOrder("round-robin", "seed")),
        ("breadth", RunOrder("breadth", step=1)),
        ("breadth:5", RunOrder("breadth", step=5)),
    ],
)
def test_order_is_read(text: str, expected: RunOrder) -> None:
    assert parse_order(text, "--order") == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "fast", "cheap", "cheap:", "declared:x", "declared:", 3, None),
        *("breadth:", "breadth:0", "breadth:x", "breadth:-1", "breadth:1.5", "breadth: 2"),
    ],
)
def test_order_that_is_none_is_refused_with_what_there_is(text: object) -> None:
    forms = r"Set it to declared, cheap:KEY, round-robin:AXIS or breadth\[:ITERATIONS\]"
    with pytest.raises(ConfigError, match=forms):
        parse_order(text, "--order")
