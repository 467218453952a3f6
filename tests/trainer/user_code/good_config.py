"""A config of modules that fit each other, in which tests change one group."""

from __future__ import annotations

from typing import Any

import torch

CPU = torch.device("cpu")


GOOD: dict[str, Any] = {
    "data": {"name": "Tiny", "_target_": "user_modules.Tiny"},
    "model": {"_target_": "torch.nn.Linear", "in_features": 6, "out_features": 2},
    "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.1},
    "scheduler": {"name": "none"},
    "criterion": {"_target_": "torch.nn.CrossEntropyLoss"},
}
