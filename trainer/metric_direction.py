"""The direction of a metric: whether smaller or greater is better, by its name."""

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
# Words after the one that tells the direction, such as the kind of average, which are ignored.
NEUTRAL: Final = frozenset(
    (
        *("macro", "micro", "weighted", "mean", "avg", "average", "median", "total", "sum", "max"),
        *("score", "rate", "ema", "epoch", "step", "batch", "at", "k", "val", "validation", "dev"),
    )
)
# Words that invert a metric, so that its name does not tell the direction.
TURNED: Final = frozenset(("neg", "negative", "minus", "inverse", "inverted", "inv", "no", "not"))


def direction_of(metric: str) -> str | None:
    """Return `min` or `max`, by the last word of a metric's name that counts; None if unknown.

    The part of the data, before the first `/`, is ignored; a later `/` separates, for example, a
    class. Numbers and words such as `macro` do not count. `loss_reduction` is unknown.
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
    """Return the words of a name; camel case is split, unless the word is known."""
    words: list[str] = []
    for word in filter(None, re.split(r"[\W_]+", part)):
        is_known = _said_by(word.lower()) is not None
        words += [word.lower()] if is_known else _parts_of(word)
    return words


def _parts_of(word: str) -> list[str]:
    """Return the words of a name in camel case."""
    return [part.lower() for part in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+", word)]
