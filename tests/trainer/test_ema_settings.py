"""A wrong key of `ema` is refused in one line, and without the group nothing changes."""

from __future__ import annotations

from typing import Any

import pytest

from trainer.deciding_keys import deciding_keys
from trainer.ema_settings import EmaSettings, read_ema
from trainer.errors import ConfigError
from trainer.settings import read_settings

PLAIN = {"seed": 0, "iterations": 1}


def test_defaults_begin_at_once_and_evaluate() -> None:
    assert read_ema({"decay": 0.99}) == EmaSettings(0.99, 1, evaluate=True)


@pytest.mark.parametrize("group", [None, {}, {"name": "none"}, {"decay": None}, {"evaluate": True}])
def test_no_average_is_no_other_run(group: dict[str, Any] | None) -> None:
    """So an axis may have an average and none, and older checkpoints can be used."""
    without, with_empty = PLAIN, PLAIN | {"ema": group}
    decides = [deciding_keys(each, read_settings(each)) for each in (without, with_empty)]
    assert decides[0] == decides[1]
    averaged = PLAIN | {"ema": {"decay": 0.9}}
    assert deciding_keys(averaged, read_settings(averaged)) != decides[0]


@pytest.mark.parametrize(
    ("group", "said"),
    [
        ({"decay": 1}, "^ema.decay: 1 is not a number between 0 and 1"),
        ({"decay": 0.0}, "^ema.decay: 0.0 is not"),
        ({"decay": "0.9"}, "^ema.decay: '0.9' is not"),
        ({"decay": True}, "^ema.decay: True is not"),
        ({"decay": float("nan")}, "^ema.decay: nan is not"),
        ({"evaluate": False}, "^ema.decay: missing, so that"),
        ({"decay": 0.9, "from_iteration": 0}, "^ema.from_iteration: 0 is not a whole number"),
        ({"decay": 0.9, "evaluate": 1}, "^ema.evaluate: 1 is neither true nor false"),
        ({"decay": 0.9, "every": 2}, "^ema.every: this key is unknown. Use one of decay, from"),
    ],
)
def test_wrong_key_is_refused_in_one_line(group: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        read_ema(group)
    assert "\n" not in str(caught.value)
