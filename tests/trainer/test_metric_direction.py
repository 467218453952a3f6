"""Which way a metric is better is told by its name, or asked for."""

from typing import Any

import pytest

from trainer.errors import ConfigError
from trainer.metric_direction import direction_of
from trainer.settings import read_settings

LEAST = {"seed": 0, "iterations": 1}
SMALLER = (
    *(
        "validation/loss",
        "train/loss",
        "loss",
        "validation/error",
        "validation/err",
        "validation/wer",
    ),
    *(
        "validation/nll",
        "validation/fid",
        "validation/perplexity",
        "validation/mse",
        "validation/mae",
    ),
    *(
        "validation/rmse",
        "validation/error_rate",
        "validation/auc_loss",
        "test/valLoss",
        "validation/loss_total",
        "validation/mse_mean",
        "validation/loss/head_1",
        "my/ctc_loss",
    ),
)
GREATER = (
    *("validation/accuracy", "accuracy", "validation/f1", "validation/auc", "validation/auroc"),
    *("validation/balanced_accuracy", "validation/macro_f1", "validation/f1_macro", "test/top1"),
    *("validation/precision_at_5", "validation/f1_score", "validation/f1/class_0", "val/top5"),
    *("validation/f1/0", "validation/mIoU", "validation/recall", "validation/topAccuracy"),
)
UNKNOWN = (
    *("validation/loss_reduction", "validation/error_free", "validation/accuracy_drop", "auc_gap"),
    *("validation/accuracyLost", "validation/wer_improvement", "validation/recall_spread"),
    *("lr", "model/norm", "validation/score", "validation/neg_mse", "validation/lossless", "x"),
)


@pytest.mark.parametrize(
    ("metric", "mode"),
    [
        *((metric, "min") for metric in SMALLER),
        *((metric, "max") for metric in GREATER),
        *((metric, None) for metric in UNKNOWN),
    ],
)
def test_name_says_which_way_a_metric_is_better(metric: str, mode: str | None) -> None:
    """By its last word that does; never by a guess."""
    assert direction_of(metric) == mode
    checkpoint = LEAST | {"checkpoint": {"metric": metric}}
    if mode is None:
        with pytest.raises(
            ConfigError, match=r"does not tell whether greater is better\. Set checkpoint"
        ):
            read_settings(checkpoint)
    else:
        assert read_settings(checkpoint).mode == mode
    for given in ("min", "max"):
        assert (
            read_settings(LEAST | {"checkpoint": {"metric": metric, "mode": given}}).mode == given
        )


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [
        ({"mode": "min"}, r"^checkpoint\.mode: min needs a metric\. Set checkpoint\.metric"),
        (
            {"metric": "validation/loss", "mode": "low"},
            r"^checkpoint\.mode: 'low' is not one of max",
        ),
        ({"metric": 3}, r"^checkpoint\.metric: 3 is not the name of a metric"),
        ({"metric": ["a"]}, r"^checkpoint\.metric: \['a'\] is not the name of a metric"),
    ],
)
def test_half_a_choice_is_refused(checkpoint: dict[str, Any], message: str) -> None:
    """In one line."""
    with pytest.raises(ConfigError, match=message):
        read_settings(LEAST | {"checkpoint": checkpoint})
