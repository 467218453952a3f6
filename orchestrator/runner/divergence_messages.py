"""The sentences in which libraries and programs report that a training has diverged."""

from __future__ import annotations

import re
from typing import Final

_NOT_FINITE: Final = r"-?\b(?:nan|inf|infinite|infinity|not finite|non-?finite)\b"
_OF_TRAINING: Final = r"(?:gradients?|grads?|weights?|parameters?|logits|activations)"
_SENTENCES: Final = (
    # a loss that is said to be NaN, as by Lightning and by the scripts of torchvision
    rf"loss(?:es)?\b(?:\s+(?!(?:not|never)\b)[\w`'.]+){{0,5}}?\s+(?:is|are|was|becomes?|became|went)\s+(?:an?\s+)?{_NOT_FINITE}",
    rf"loss\w*['\"]?\s*[:=]+\s*(?:tensor\(\[*)?{_NOT_FINITE}",
    rf"{_NOT_FINITE}\s+(?:\w+\s+)?(?:loss(?:es)?|norm|{_OF_TRAINING})\b",
    rf"\b{_OF_TRAINING}\s+(?:is|are|became|contains?)\s+{_NOT_FINITE}",
    r"FloatingPointError",
    # torch: anomaly detection, clip_grad_norm_, distributions, multinomial
    r"returned (?:nan|inf) values in its",
    r"is non-finite, so it cannot be clipped",
    r"invalid values:.*\bnan\b",
    r"probability tensor contains either `inf`, `nan`",
    # Lightning's detect_nan_parameters, Megatron, and others
    rf"\b(?:detected|found|encountered) {_NOT_FINITE}",
    # the dynamic loss scales of fairseq and DeepSpeed
    r"minimum loss scale reached|loss scale already at minimum",
    r"\b(?:training|loss|model|optimi[sz]ation) (?:has |is )?(?:diverg(?:ed|ing)|explod(?:ed|ing))",
)
DIVERGED: Final = re.compile("|".join(_SENTENCES), re.IGNORECASE)
