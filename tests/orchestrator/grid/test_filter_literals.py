"""Words of filters mean what they mean in YAML and to Hydra, or are refused; both are asked."""

import contextlib
from typing import Any

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf._utils import get_yaml_loader

from orchestrator.errors import FilterError
from orchestrator.grid.filter_literals import NOT_A_LITERAL, read_literal
from orchestrator.grid.filter_parser import parse_filter
from orchestrator.grid.filters import Key

WORDS = [
    *["true", "True", "TRUE", "tRuE", "false", "False", "FALSE", "null", "Null", "NULL", "~", "nULL"],
    *["yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF", "y", "n"],
    *["None", "none", "NONE", "nil", "undefined", "word", "Cnn10"],
    *["0", "-0", "+1", "1", "1_000", "1_0_0", "1__0", "_1", "1_", "-1_000", "010", "00", "0_1"],
    *["0x10", "0XFF", "-0x1f", "0b101", "0o17", "0x", "0xg", "1:30", "190:20:30"],
    *["1.0", ".5", "5.", "1e3", "1E3", "1e-3", "1.5e+3", ".5e3", "+.5", "1_000.5", "01.5", "1e", "e3"],
    *[".inf", "-.inf", ".Inf", ".nan", ".NaN", "inf", "-inf", "nan", "NaN", "Infinity", "1e999"],
    *["2024-01-01", "1-2", "12h", "--1", "+-1", "1.2.3", "٣", "½"],
]  # fmt: skip


def _readings(word: str) -> list[Any]:
    """Return what YAML (as OmegaConf reads it) and Hydra make of a word, text left out."""
    read = [yaml.load(word, get_yaml_loader())]  # noqa: S506 # a safe one
    with contextlib.suppress(HydraException):
        read.append(OverridesParser.create().parse_override(f"x={word}").value())
    return [value for value in read if not isinstance(value, str)]


@pytest.mark.parametrize("word", WORDS)
def test_word_is_what_yaml_and_hydra_read_or_is_refused(word: str) -> None:
    """A word that one of them reads as a value is never a key, and never another value."""
    readings = _readings(word)
    try:
        operand = parse_filter(f"x == {word} ! x == 1").case.comparisons[0].operand
    except FilterError as error:
        assert "in quotes" in str(error) or "too large" in str(error)  # noqa: PT017 # a table
        return
    if isinstance(operand, Key):
        assert readings == []
        return
    assert readings
    assert all(type(each) is type(operand) and each == operand for each in readings)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("True", True),
        ("TRUE", True),
        ("FALSE", False),
        ("Null", None),
        ("~", None),
        ("1_000", 1000),
        ("0x10", 16),
        ("0b11", 3),
        ("1e3", 1000.0),
        ("-.5", -0.5),
    ],
)
def test_literal_holds_in_a_filter(word: str, value: Any) -> None:
    """A filter drops the run with that value, and no other."""
    item = parse_filter(f"x == {word} ! x in [{word}]")
    assert item.excludes({"x": value})
    assert not item.excludes({"x": str(word)})


@pytest.mark.parametrize("word", ["yes", "No", "on", "OFF", "None", "inf", ".inf", "-.INF", ".nan"])
@pytest.mark.parametrize("where", ["x == {} ! x == 1", "x == 1 ! x in [1, {}]"])
def test_words_that_are_disputed_are_refused_with_what_to_write(word: str, where: str) -> None:
    """YAML and Hydra disagree about them, or no run can have them."""
    with pytest.raises(FilterError, match="put it in quotes"):
        parse_filter(where.format(word))
    assert parse_filter(where.format(f"'{word}'")).keys == {"x"}


def test_disputed_word_may_be_a_key_in_front_of_an_operator() -> None:
    """There it cannot be a value."""
    assert parse_filter("on == 1 ! nan == 2").keys == {"on", "nan"}


def test_word_that_is_not_a_literal_is_distinguished_from_null() -> None:
    """``null`` is a value."""
    assert read_literal("null") is None
    assert read_literal("lr") is NOT_A_LITERAL
