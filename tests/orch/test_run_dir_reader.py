"""Tests of reading the files of a run directory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orch.run_dir_reader import leaves_of, parse_config, read_lines

if TYPE_CHECKING:
    from pathlib import Path

LINES = st.one_of(
    st.fixed_dictionaries(
        {"key": st.text(max_size=3), "value": st.floats(), "step": st.integers()}
    ).map(json.dumps),
    st.sampled_from(
        [
            "",
            "{",
            "}",
            "{}",
            "[",
            "]",
            ",",
            "1, 2",
            '{"a": 1},{"b": 2}',
            '{"a": [{}',
            "{}]}",
            '"x": 1}',
        ]
    ),
    st.text('{}[]",:1a \r', max_size=6),
)


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb:\n  c: [1, 2]\n",
        "# a comment\na: 1\n",
        "a: '*x'\nb: 2 *x\n",
        "a: |\n  b: 1\nc: 2\n",
        "? a\n: 1\n",
        "{a: 1}\n",
        "a:\n- 1\n- b: 2\n",
        "'a b': 1\n",
        "",
    ],
)
def test_config_is_what_a_yaml_parser_reads(text: str) -> None:
    """Sections are parsed one by one where that is the same."""
    assert parse_config(text.encode()) == (yaml.safe_load(text) or {})


@pytest.mark.parametrize(
    "text", ["a: !!timestamp 2001", "a: 2001-99-99", "a: !!bool x", "a: !!int ''", "- a", "[1: 2"]
)
def test_what_is_no_config_is_none(text: str) -> None:
    """Also where PyYAML raises other errors than its own."""
    assert parse_config(f"b: 1\n{text}\n".encode()) is None
    assert parse_config(f"{text}\n".encode()) is None


@pytest.mark.parametrize(
    "text",
    [
        "a: &x [1]\nb: *x\n",
        "a: &x {b: *x}\n",
        "\n".join(["a0: &a0 1", *(f"a{n}: &a{n} [{f'*a{n - 1},' * 9}]" for n in range(1, 99))]),
        "a: " + "[" * 100_000,
        "".join(f"{' ' * n}a:\n" for n in range(200)),
    ],
)
def test_config_that_could_exhaust_the_memory_is_not_constructed(text: str) -> None:
    """No run has aliases or hundreds of levels in its config."""
    assert parse_config(text.encode()) is None


@given(lines=st.lists(LINES, max_size=6))
def test_lines_are_read_together_as_they_are_one_by_one(
    lines: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Torn and strange lines are left out, and take no other line with them."""
    path: Path = tmp_path_factory.mktemp("lines") / "metrics.jsonl"
    path.write_text("\n".join(lines))
    expected = []
    for line in path.read_bytes().splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            expected.append(found)
    assert repr(read_lines(path)) == repr(expected)


def test_key_with_a_dot_is_not_a_nested_one() -> None:
    config = {"a.b": 1, "a": {"b": 2, "c.d": [3]}}
    assert dict(leaves_of(config)) == {'"a.b"': 1, "a.b": 2, 'a."c.d".0': 3}
