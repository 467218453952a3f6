"""Tests of reading the files of a run directory."""

from __future__ import annotations

import pytest
import yaml

from orch.run_dir_records import parse_config


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb:\n  c: [1, 2]\n",
        "# a comment\na: 1\n",
        "a: &x [1]\nb: *x\n",
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
