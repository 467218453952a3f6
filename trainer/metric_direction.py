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
# What may stand behind the word that says so, and says nothing about it: how it was averaged, for whom.
NEUTRAL: Final = frozenset(
    (
        *("macro", "micro", "weighted", "mean", "avg", "average", "median", "total", "sum", "max"),
        *("score", "rate", "ema", "epoch", "step", "batch", "at", "k", "val", "validation", "dev"),
    )
)
# What turns a metric round, so that its name says nothing.
TURNED: Final = frozenset(("neg", "negative", "minus", "inverse", "inverted", "inv", "no", "not"))


def direction_of(metric: str) -> str | None:
    """Return `min` or `max`, by the last word of a metric's name that counts; none if it says neither.

    The part of the data before the first `/` is no word of the name; a `/` behind it names a class
    or the like. Numbers and words as `macro` do not count. So `loss_reduction` says neither.
    """
    name = metric.partition("/")[2] or metric
    parts = [_words_of(part) for part in name.split("/")]
    if any(not TURNED.isdisjoint(part) for part in parts):
        return None
    for words in reversed(parts):
        counting = [word for word in words if word not in NEUTRAL and not word.isdigit()]
        if counting and (found := _said_by(counting[-1])):
            return found
    return None


def _said_by(word: str) -> str | None:
    if word in SMALLER:
        return MIN
    return MAX if word in GREATER else None


def _words_of(part: str) -> list[str]:
    """Return the words of a name; one in camel case is several, unless it is known as it is."""
    words: list[str] = []
    for word in filter(None, re.split(r"[\W_]+", part)):
        is_known = _said_by(word.lower()) is not None
        words += [word.lower()] if is_known else _parts_of(word)
    return words


def _parts_of(word: str) -> list[str]:
    """Return the words of one that is written in camel case."""
    return [part.lower() for part in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+", word)]
