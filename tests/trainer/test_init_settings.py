"""A wrong `init_from` is refused in one line, and without one nothing changes."""

from __future__ import annotations

from typing import Any

import pytest

from trainer.deciding_keys import deciding_keys
from trainer.errors import ConfigError
from trainer.init_settings import InitSettings, read_init
from trainer.settings import read_settings

PLAIN = {"seed": 0, "iterations": 1}


def decides(**keys: Any) -> Any:
    """Return what decides the results of a run with these keys."""
    config = PLAIN | keys
    return deciding_keys(config, read_settings(config))


def test_run_without_it_has_the_checkpoints_that_it_had() -> None:
    assert decides(init_from=None, init_from_digest=None) == decides()
    assert read_init({}) == InitSettings()


def test_content_decides_where_it_is_known() -> None:
    known = {"init_from_digest": "sha256:1"}
    assert decides(init_from="a", **known) == decides(init_from="b", **known)
    assert decides(init_from="a", **known) != decides(init_from="a", init_from_digest="sha256:2")
    assert decides(init_from="a") != decides(init_from="b")
    assert decides(init_from="a") != decides()
    assert decides(init_from="a", init_from_prefix="b") != decides(init_from="a")
    assert decides(init_from="a", init_from_prefix=None) == decides(init_from="a")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"init_from": 3}, "^init_from: 3 is not a path"),
        ({"init_from": ""}, "^init_from: '' is not a path"),
        ({"init_from": {"run": "a"}}, "^init_from: {'run': 'a'} is not a path"),
        ({"init_from": "a", "init_from_digest": 3}, "^init_from_digest: 3 is not a digest"),
        ({"init_from_digest": "sha256:1"}, "^init_from_digest: there is no init_from"),
        ({"init_from": "a", "init_from_prefix": 3}, "^init_from_prefix: 3 is not the beginning"),
        ({"init_from": "a", "init_from_prefix": ""}, "^init_from_prefix: '' is not the beginning"),
        ({"init_from": "a", "init_from_prefix": "."}, "^init_from_prefix: '.' is not the begin"),
        ({"init_from_prefix": "encoder"}, "^init_from_prefix: there is no init_from"),
    ],
)
def test_wrong_keys_are_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_settings(PLAIN | keys)
