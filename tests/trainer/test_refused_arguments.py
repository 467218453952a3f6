"""Arguments that would have no effect, or make the results useless, are refused."""

from __future__ import annotations

from typing import Any

import pytest

from trainer.errors import ConfigError
from trainer.refused_arguments import check_arguments

NAN = float("nan")
LOSS = {"_target_": "torch.nn.CrossEntropyLoss"}
PADDING = {
    "_target_": "torch.nn.utils.rnn.pad_sequence",
    "_partial_": True,
    "padding_value": NAN,
}
WEIGHT = {"_target_": "torch.tensor", "data": [1.0, NAN]}


@pytest.mark.parametrize(
    ("group", "settings", "message"),
    [
        ("optimizer", {"_partial_": True}, "^optimizer._partial_: it would make a function"),
        ("optimizer", {"params": [1]}, "^optimizer.params: the trainer sets this argument"),
        ("criterion", LOSS | {"label_smoothing": NAN}, "^criterion.label_smoothing: nan is not"),
        ("criterion", LOSS | {"weight": WEIGHT}, r"^criterion.weight.data\[1\]: nan is not"),
        ("dataloader", {"num_workers": 1, "timeout": NAN}, "^dataloader.timeout: nan is not"),
    ],
)
def test_argument_is_refused_in_one_line(
    group: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        check_arguments(settings, group, ["params"])


@pytest.mark.parametrize(
    ("group", "settings"),
    [
        ("criterion", {"_target_": "torch.nn.functional.cross_entropy", "_partial_": True}),
        ("criterion", {"_target_": "torch.nn.HuberLoss", "delta": float("inf")}),
        ("criterion", {"_target_": "own.Loss", "missing": NAN}),
        ("dataloader", {"sampler": {"_target_": "own.Sampler", "missing": NAN}}),
        ("dataloader", {"collate_fn": PADDING}),
        ("model", {"_target_": "torch.nn.ConstantPad1d", "padding": 1, "value": NAN}),
        ("optimizer", {"params": None, "_partial_": False}),
    ],
)
def test_argument_that_may_mean_something_is_let_through(
    group: str, settings: dict[str, Any]
) -> None:
    check_arguments(settings, group, ["params"])
