"""Patterns for metrics in the output are checked before anything runs."""

from typing import Any

import pytest

from orchestrator.config.metric_patterns import is_counted
from orchestrator.config.orch_settings import parse_settings
from orchestrator.errors import ConfigError


def parse(patterns: Any, **others: Any) -> tuple[str, ...]:
    settings = parse_settings({"command": ["x"], **others, "metrics_from_output": patterns})
    return settings.program.metrics_from_output


def test_one_pattern_or_several() -> None:
    assert parse(None) == ()
    assert parse("a (?P<a>.)") == ("a (?P<a>.)",)
    assert parse(["a (?P<a>.)", "b (?P<b>.)"]) == ("a (?P<a>.)", "b (?P<b>.)")


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        ("loss (", "is not a regular expression of Python: missing )"),
        ("loss (?P<1>.)", "is not a regular expression"),
        (r"loss (\S+)", "names no metric. Name groups"),
        (r"(?P<step>\d+)", "names no metric"),
        ({"a": 1}, "is not a string or a list of strings"),
        ([1], "1 is not a string"),
    ],
)
def test_wrong_pattern_is_told_with_what_to_do(patterns: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(patterns)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_but_one_line_is_said_of_a_pattern(recwarn: pytest.WarningsRecorder) -> None:
    """Neither Python's warnings nor a hundred kilobytes."""
    assert parse("[[a](?P<a>.)") == ("[[a](?P<a>.)",)
    assert list(recwarn) == []
    for pattern in ("[[x]" * 25_000, "(" * 100_000):
        with pytest.raises(ConfigError) as caught:
            parse(pattern)
        assert len(str(caught.value)) < 500


def test_trainer_records_its_metrics_itself() -> None:
    with pytest.raises(ConfigError, match="has no effect on the trainer"):
        parse("a (?P<a>.)", command=None)


def test_metric_is_counted_where_its_pattern_has_no_step() -> None:
    patterns = (r"epoch (?P<step>\d+) loss (?P<loss>\S+)", r"acc (?P<acc>\S+)")
    assert is_counted(patterns, "acc")
    assert not is_counted(patterns, "loss")
    assert not is_counted((), "acc")
