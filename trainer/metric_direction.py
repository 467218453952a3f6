"""Owns which way a metric is better, where its name says so."""

from __future__ import annotations

import re
from typing import Final

MIN, MAX = "min", "max"
SMALLER: Final = frozenset(
    (
        *("loss", "losses", "logloss", "error", "errors", "err", "wer", "cer", "eer", "nll", "bce"),
        *(
            "fid",
            "perplexity",
            "ppl",
            "mse",
            "mae",
            "rmse",
            "mape",
            "msle",
            "regret",
            "ece",
            "brier",
        ),
    )
)
GREATER: Final = frozenset(
    (
        *("accuracy", "acc", "f1", "fbeta", "auc", "auroc", "auprc", "precision", "recall", "iou"),
        *(
            "miou",
            "dice",
            "jaccard",
            "bleu",
            "rouge",
            "meteor",
            "r2",
            "psnr",
            "ssim",
            "mrr",
            "ndcg",
        ),
        *("kappa", "mcc", "specificity", "sensitivity", "map50", "top1", "top5", "reward"),
    )
)
# What turns a metric round, so that its name says nothing.
TURNED: Final = frozenset(("neg", "negative", "minus", "inverse", "inverted", "inv", "no", "not"))


def direction_of(metric: str) -> str | None:
    """Return `min` or `max`, by the last word of a metric's name that says so; none if no word does.

    The part of the data before the first `/` is no word of the name.
    """
    name = metric.partition("/")[2] or metric
    words = [
        word for part in re.split(r"[\W_]+", name) for word in (*_parts_of(part), part.lower())
    ]
    if not TURNED.isdisjoint(words):
        return None
    for word in reversed(words):
        if word in SMALLER:
            return MIN
        if word in GREATER:
            return MAX
    return None


def _parts_of(word: str) -> list[str]:
    """Return the words of one that is written in camel case."""
    return [part.lower() for part in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+", word)]
