"""Counts, sizes and durations are read as people write them, and nothing else is."""

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.config.quantities import parse_count, parse_duration, parse_memory
from orchestrator.errors import ConfigError


@pytest.mark.parametrize(
    ("parse", "value", "expected"),
    [
        (parse_count, None, None),
        (parse_count, 3, 3),
        (parse_memory, 1024, 1024),
        (parse_memory, "8 GiB", 8 << 30),
        (parse_memory, "1.5gb", 1_500_000_000),
        (parse_memory, " 512MiB ", 512 << 20),
        (parse_duration, 0.5, 0.5),
        (parse_duration, "90s", 90.0),
        (parse_duration, "1h 30m", 5400.0),
        (parse_duration, "1.5d", 129_600.0),
    ],
)
def test_quantity_is_read(parse: Callable[..., Any], value: Any, expected: Any) -> None:
    assert parse(value, "orch.x") == expected


@pytest.mark.parametrize(
    ("parse", "values"),
    [
        (parse_count, [0, -1, 1.0, "3", True, [1]]),
        (parse_memory, [0, -1, 1.5, True, "", "8", "8 GiBs", "-8 GiB", "0 GiB", None, [1]]),
        (
            parse_duration,
            [0, -1, True, "", "soon", "1x", "90", "0s", float("nan"), float("inf"), None],
        ),
    ],
)
def test_anything_else_is_refused_with_the_name_of_the_setting(
    parse: Callable[..., Any], values: list[Any]
) -> None:
    for value in values:
        with pytest.raises(ConfigError, match=r"^orch\.x is .*\. Set it to "):
            parse(value, "orch.x")


def test_least_count_may_be_zero() -> None:
    assert parse_count(0, "orch.retries", least=0) == 0
