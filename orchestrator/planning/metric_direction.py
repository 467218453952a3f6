"""The direction of a metric: whether less or more of it is better, judged by its name."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_WHOLE: Final = re.compile(r"[^\W_]+")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# Anywhere in a name, since they occur in compounds: "mseloss", "logloss", "runtime_seconds".
_LESS_WITHIN: Final = ("loss", "error", "perplexity", "divergence", "latency", "regret")
_MORE_WITHIN: Final = ("accuracy", "precision", "recall", "likelihood", "reward")
_LESS: Final = frozenset(
    [
        "err",
        "eer",
        "wer",
        "cer",
        "ter",
        "per",
        "der",
        "mer",
        "tre",
        "fer",
        "ser",
        "fid",
        "kid",
        "fvd",
        "fad",
        "lpips",
        "nll",
        "bpc",
        "bpd",
        "bpb",
        "ppl",
        "ece",
        "mce",
        "brier",
        "mse",
        "rmse",
        "mae",
        "mape",
        "smape",
        "wape",
        "msle",
        "rmsle",
        "nrmse",
        "nmse",
        "mrae",
        "kl",
        "kld",
        "jsd",
        "emd",
        "cost",
        "distance",
        "dist",
        "rmsd",
        "seconds",
        "time",
        "duration",
        "runtime",
        "ms",
        "memory",
        "params",
        "flops",
        "energy",
        "violations",
        "hamming",
        "nfe",
        "wasserstein",
        "aic",
        "bic",
        "deviance",
        "fpr",
        "fnr",
        "fdr",
        "failures",
    ]
)
_MORE: Final = frozenset(
    [
        "acc",
        "f1",
        "fbeta",
        "auc",
        "auroc",
        "auprc",
        "aucroc",
        "roc",
        "ap",
        "map",
        "ndcg",
        "mrr",
        "hit",
        "hits",
        "bleu",
        "chrf",
        "rouge",
        "meteor",
        "cider",
        "spice",
        "comet",
        "psnr",
        "ssim",
        "sisdr",
        "sdr",
        "snr",
        "pesq",
        "stoi",
        "iou",
        "miou",
        "giou",
        "dice",
        "jaccard",
        "r2",
        "kappa",
        "mcc",
        "correlation",
        "pearson",
        "spearman",
        "kendall",
        "sensitivity",
        "specificity",
        "tpr",
        "tnr",
        "ppv",
        "npv",
        "purity",
        "nmi",
        "ari",
        "throughput",
        "score",
        "elbo",
        "return",
        "winrate",
        "em",
        "top",
        "pass",
    ]
)
_NEGATED: Final = frozenset(("neg", "negative", "minus"))


class Direction(Enum):
    """Which values of a metric are better."""

    LESS = "less"
    MORE = "more"
    UNKNOWN = "unknown"


def direction_of(metric: str) -> Direction:
    """Return the direction of the last known word in a metric's name.

    Words are found in ``val_loss`` as well as in ``top5Err``. In a negated name, as scikit-learn has
    them, the direction is reversed.
    """
    words = list(_words(metric))
    found = Direction.UNKNOWN
    for word in words:
        found = _of_word(word) or found
    if found is not Direction.UNKNOWN and not _NEGATED.isdisjoint(words):
        return Direction.MORE if found is Direction.LESS else Direction.LESS
    return found


def _words(name: str) -> Iterator[str]:
    """Yield the words of a name: for each, the parts of a compound first, then the whole."""
    for whole in _WHOLE.findall(name):
        yield from (part.lower() for part in _WORD.findall(whole))
        yield whole.lower().rstrip("0123456789")
        yield whole.lower()


def _of_word(word: str) -> Direction | None:
    if word in _LESS or any(part in word for part in _LESS_WITHIN):
        return Direction.LESS
    if word in _MORE or any(part in word for part in _MORE_WITHIN):
        return Direction.MORE
    return None
