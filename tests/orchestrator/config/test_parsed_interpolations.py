"""Interpolations are parsed once, and mean what OmegaConf makes of them."""

from __future__ import annotations

import omegaconf.base
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf, grammar_parser
from omegaconf.errors import GrammarParseError, OmegaConfBaseException

from orchestrator.config.parsed_interpolations import parse, remember_parses
from orchestrator.config.resolved_size import ResolvedSize

TEXTS = [
    "${a}",
    "${.b}",
    "x ${a}-${..a}",
    "${n.${k}}",
    "${oc.select:${k},${a}}",
    "${zz}",
    "\\${a}",
    "${",
]


@pytest.fixture
def omegaconf_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(omegaconf.base, "parse", grammar_parser.parse)


def _resolved(texts: list[str]) -> list[object]:
    cfg = {"a": 1, "b": [2, 3], "k": "y", "n": {"y": 5, "a": 7, "inner": texts}, "outer": texts}
    found: list[object] = []
    for where in ("n.inner", "outer"):
        for place in range(len(texts)):
            try:
                found.append(OmegaConf.select(OmegaConf.create(cfg), f"{where}[{place}]"))
            except OmegaConfBaseException as error:
                found.append(type(error))
    return found


@pytest.mark.usefixtures("omegaconf_as_it_is")
@settings(max_examples=30)
@given(texts=st.lists(st.sampled_from(TEXTS), max_size=6))
def test_texts_resolve_as_without_it(texts: list[str]) -> None:
    """Also where the same text stands in several places, and is relative to them."""
    omegaconf.base.parse = grammar_parser.parse
    expected = _resolved(texts)
    remember_parses()
    assert omegaconf.base.parse is parse
    assert _resolved(texts) == expected
    assert _resolved(texts) == expected


@pytest.mark.usefixtures("omegaconf_as_it_is")
def test_text_is_parsed_once_and_few_long_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = []
    real = grammar_parser.parse

    def count(value: str, *rules: str) -> object:
        parsed.append(value)
        return real(value, *rules)

    monkeypatch.setattr(grammar_parser, "parse", count)
    short, *long = "${seen.only.here}", *("${seen.only.here}" * n for n in (100, 101, 102))
    assert parse(short) is parse(short)
    assert [parse(text) is parse(text) for text in long] == [True, True, True]
    parse(long[0])
    assert parsed == [short, *long, long[0]]


def test_wrong_text_is_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(GrammarParseError):
            parse("${wrong")


def test_other_omegaconf_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that parses in another way resolves in its own way."""
    monkeypatch.setattr(omegaconf.base, "parse", len)
    remember_parses()
    assert omegaconf.base.parse is len  # type: ignore[comparison-overlap]
    monkeypatch.delattr(omegaconf.base, "parse")
    remember_parses()
    assert not hasattr(omegaconf.base, "parse")


def test_same_text_in_two_places_has_two_sizes() -> None:
    """What it refers to is relative to where it stands."""
    text = "${.${.k}}"
    cfg = OmegaConf.create(
        {"a": {"k": "y", "y": "long" * 100, "x": text}, "b": {"k": "y", "y": "", "x": text}}
    )
    sizes = ResolvedSize({})
    found = [sizes.of(cfg[name]._get_node("x")).characters for name in "ab"]
    assert found[0] - found[1] == 400
