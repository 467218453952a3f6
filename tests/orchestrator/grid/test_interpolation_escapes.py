"""Text that looks like an interpolation stays text; OmegaConf is the oracle."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from orchestrator.config.secret_references import conceal
from orchestrator.grid.interpolation_escapes import escape, unescape
from orchestrator.rundir import config_yaml

PIECES = st.lists(
    st.sampled_from(
        ["\\", "${", "}", "$", "{", "a", "seed", ":", "'", '"', "\n", " ", "é", "oc.env:HOME"]
    )
)
TEXTS = PIECES.map("".join)
VALUES = st.recursive(
    TEXTS.filter(lambda text: text != "???") | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["x", "y", "z"]), VALUES))
def test_written_config_resolves_to_the_config(tmp_path_factory: Any, config: Any) -> None:
    """Loading and resolving what was written gives every value back, whatever it looks like."""
    path = tmp_path_factory.mktemp("written") / "config.yaml"
    path.write_bytes(config_yaml.write(conceal(config, {}).written))
    assert OmegaConf.to_container(OmegaConf.load(path), resolve=True) == config


@given(TEXTS)
def test_escape_is_undone(text: str) -> None:
    """What was escaped can be read without OmegaConf."""
    assert unescape(str(escape(text))) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("${seed}", "\\${seed}"),
        ("\\${seed}", "\\\\\\${seed}"),
        ("run-${nope}", "run-\\${nope}"),
        ("a\\b", "a\\b"),
        ("$5 {x}", "$5 {x}"),
    ],
)
def test_only_what_opens_an_interpolation_is_escaped(text: str, written: str) -> None:
    """Other text stands as it is, backslashes included."""
    assert escape(text) == written


def test_list_is_escaped_item_by_item() -> None:
    """Nested values keep their shape."""
    assert escape({"a": ["${x}", 1, {"b": "${y}"}]}) == {"a": ["\\${x}", 1, {"b": "\\${y}"}]}
