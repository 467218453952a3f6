"""An override that cannot be read is answered with what to type, if its value has to be quoted."""

import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from orchestrator.config.shell_quoting import quoted_override


@pytest.mark.parametrize(
    "value", [r"step (?P<step>\d+)", "x!", "a;b", "<b>", "#x", "it's; so", "$(ls)", "a=b", "n&m"]
)
def test_what_is_to_be_typed_is_that_value(value: str) -> None:
    """In a shell, as it stands."""
    (word,) = shlex.split(quoted_override(f"key={value}"))
    assert OverridesParser.create().parse_override(word).value() == value


@pytest.mark.parametrize(
    "override", ["lr=[1,2", "lr={a:1", "lr=range(1", "lr=range()", "lr='x", "-lr=3", "a b=3"]
)
def test_another_fault_is_not_mended_with_quotes(override: str) -> None:
    """A list that is not closed was not meant as a string."""
    assert quoted_override(override) == ""


@pytest.mark.parametrize(
    ("value", "values"),
    [
        ("relu,ünï,1", ["relu", "ünï", 1]),
        ("x!,y!", ["x!", "y!"]),
        ("hello, wörld", ["hello, wörld"]),
    ],
)
def test_of_several_values_those_are_quoted_that_have_to_be(
    value: str, values: list[object]
) -> None:
    """Quotes around all of them would make one value; a comma with a space is part of a text."""
    (word,) = shlex.split(quoted_override(f"key={value}"))
    read = OverridesParser.create().parse_override(word)
    found = read.value()
    several = found.list if read.is_sweep_override() else [found]  # type: ignore[union-attr] # a sweep
    assert [getattr(each, "text", each) for each in several] == values
