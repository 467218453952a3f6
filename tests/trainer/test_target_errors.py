"""Errors of a target are one line if the config is wrong, and a traceback if the user's code is."""

from typing import Any

import pytest
from good_config import CPU, GOOD

from trainer.build import build_modules
from trainer.errors import ConfigError
from trainer.target_errors import first_line


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
    ("group", "changes", "message"),
    [
        (
            "model",
            {"_target_": "trainer.models.mlp.Mlp", "input_shape": [6], "classes": 2, "hidden": "a"},
            "model.hidden: 'a' is not a number. Correct it.",
        ),
        (
            "model",
            {"_target_": "torch.nn.Linear", "in_features": 6, "out_features": "2"},
            "model.out_features: '2' is not a number. Correct it.",
        ),
        (
            "optimizer",
            {"_target_": "torch.optim.SGD", "lr": "fast"},
            "optimizer.lr: 'fast' is not a number. Correct it.",
        ),
        (
            "model",
            {"_target_": "torch.nn.Dropout", "p": "half"},
            "model.p: 'half' is not a number. Correct it.",
        ),
        (
            "criterion",
            {"_target_": "torch.nn.CrossEntropyLoss", "reduction": 3, "weight": "x"},
            "criterion: torch.nn.CrossEntropyLoss: cannot assign 'str' object to buffer 'weight'",
        ),
    ],
)
def test_text_in_place_of_a_number_is_named(group: str, changes: Any, message: str) -> None:
    """By its key; what PyTorch says of it concerns a function that the user has not called."""
    with pytest.raises(ConfigError) as caught:
        build_modules(GOOD | {group: changes}, CPU)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("target", "error"),
    [("Deep", ValueError), ("Buggy", AttributeError), ("Reading", FileNotFoundError)],
)
def test_error_in_the_runs_own_code_is_let_through(target: str, error: type[Exception]) -> None:
    """Its traceback says where."""
    with pytest.raises(error):
        build_modules(GOOD | {"model": {"_target_": f"broken_constructors.{target}"}}, CPU)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("one.\ntwo"), "one"),
        (
            RuntimeError("Error(s) in loading:\n\tMissing key: 'a'.\nthree"),
            "Error(s) in loading: Missing key: 'a'",
        ),
        (RuntimeError("nothing follows:"), "nothing follows:"),
        (KeyError(140041366718176), "KeyError: 140041366718176"),
        (AssertionError(), "AssertionError"),
    ],
)
def test_first_line_says_what_happened(error: Exception, line: str) -> None:
    """Also where it only announces the second one, or is only a key."""
    assert first_line(error) == line
