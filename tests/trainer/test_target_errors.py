"""Errors of a target are one line if the config is wrong, and a traceback if the user's code is."""

from typing import Any

import pytest
from good_config import CPU, GOOD

from trainer.build import build_modules
from trainer.errors import ConfigError


@pytest.mark.parametrize(
    ("group", "changes", "message"),
    [
        (
            "optimizer",
            {"_target_": "torch.optim.Adam", "betas": [0.9]},
            "^optimizer: torch.optim.Adam: list index out of range. Correct conf/optimizer/",
        ),
        (
            "model",
            {"_target_": "broken_constructors.Particular", "width": 3},
            r"^model: broken_constructors.Particular: 3 is odd \(broken_constructors.py, line \d+\)",
        ),
        (
            "criterion",
            {"_target_": "torch.nn.crossentropyloss"},
            "does not have 'crossentropyloss'; the nearest is torch.nn.CrossEntropyLoss",
        ),
    ],
)
def test_error_about_arguments_is_one_line(group: str, changes: Any, message: str) -> None:
    """Of whatever class; one of the user's own constructor has its place."""
    with pytest.raises(ConfigError, match=message):
        build_modules(GOOD | {group: changes}, CPU)


@pytest.mark.parametrize(
    ("target", "error"),
    [("Deep", ValueError), ("Buggy", AttributeError), ("Reading", FileNotFoundError)],
)
def test_error_in_the_runs_own_code_is_let_through(target: str, error: type[Exception]) -> None:
    """Its traceback says where."""
    with pytest.raises(error):
        build_modules(GOOD | {"model": {"_target_": f"broken_constructors.{target}"}}, CPU)
