"""Values of Hydra's own keys that it would take for others are one line."""

from __future__ import annotations

from typing import Any

import pytest

from trainer.errors import ConfigError
from trainer.hydra_words import check_words


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"_convert_": "x"}, r"^model\._convert_: 'x' is not one of none, partial, object, all"),
        ({"_partial_": "no"}, r"^model\._partial_: 'no' is neither true nor false"),
        ({"_recursive_": 0}, r"^model\._recursive_: 0 is neither"),
        ({"_args_": "ab"}, r"^model\._args_: 'ab' is not a list"),
        ({"base": {"_partial_": None}}, r"^model\.base\._partial_: None is neither"),
        ({"parts": [{}, {"_convert_": True}]}, r"^model\.parts\[1\]\._convert_: True is not"),
        ({"_args_": [{"_convert_": ""}]}, r"^model\._args_\[0\]\._convert_: '' is not"),
    ],
)
def test_value_that_hydra_does_not_know_is_one_line(settings: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_words(settings, "model")


@pytest.mark.parametrize(
    "settings",
    [
        {"_convert_": "ALL", "_partial_": False, "_recursive_": True, "_args_": []},
        {"_convert_": "none", "x": [1, {"_convert_": "partial"}]},
        {"_recursive_": False, "x": {"_partial_": "for the target, which instantiates it"}},
        {"convert": "x", "args": 3},
    ],
)
def test_value_that_it_knows_is_let_through(settings: Any) -> None:
    check_words(settings, "model")
