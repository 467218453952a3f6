"""The contract of numbers: the same configuration gives the same bits until `NUMBERS` is raised.

The runs are small ones of all that computes, with arithmetic that is the same on every x86-64
processor: neither PyTorch nor the libraries below it may choose instructions by what they find.
Nor may there be a square root, as in Adam: below PyTorch, MKL begins it with an approximation that
processors of Intel and of AMD compute differently.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch

from trainer.numbers_version import NUMBERS

USER_CODE = Path(__file__).parents[1] / "trainer" / "user_code"
GOLDEN = Path(__file__).with_name("golden_numbers.json")
TORCH = torch.__version__.partition("+")[0]
SAME_EVERYWHERE = {
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "PYTHONHASHSEED": "0",
}
DIGITS = {"_target_": "trainer.data.digits.Digits", "held_out": 1500, "validation": 150}
SHAPES = {"input_shape": [6], "classes": 2}
IMAGES = {"input_shape": [1, 8, 8], "classes": 10}
TINY: dict[str, Any] = {
    "seed": 7,
    "iterations": 2,
    "batch_size": 8,
    "eval_every": 4,
    "data": {"_target_": "user_modules.Tiny"},
    "model": {"_target_": "trainer.models.mlp.Mlp", "hidden": 8, **SHAPES},
    "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.1, "momentum": 0.9},
    "criterion": {"_target_": "torch.nn.CrossEntropyLoss"},
}
RUNS: dict[str, dict[str, Any]] = {
    "mlp": {},
    "mlp with dropout, by step": {
        "model": TINY["model"] | {"dropout": 0.4},
        "training_type": "step",
    },
    "augmented": {"data": {"_target_": "user_modules.Noisy"}},
    "augmented, two workers": {
        "data": {"_target_": "user_modules.Noisy"},
        "dataloader": {"num_workers": 2},
    },
    "merging, averaged": {
        "model": {"_target_": "odd_modules.Merging"},
        "ema": {"decay": 0.9},
    },
    "accumulated and clipped": {"accumulate": 2, "clip_norm": 0.5},
    "cosine": {
        "scheduler": {"_target_": "torch.optim.lr_scheduler.CosineAnnealingLR", "T_max": 2},
        "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.01, "nesterov": True, "momentum": 0.9},
    },
    "one cycle, by update": {
        "scheduler": {
            "_target_": "torch.optim.lr_scheduler.OneCycleLR",
            "max_lr": 0.2,
            "total_steps": 1000,
        },
    },
    "sam": {
        "optimizer": {
            "_target_": "trainer.optimizers.sam.Sam",
            "lr": 0.1,
            "base": {"_target_": "torch.optim.SGD", "_partial_": True},
        }
    },
    "paced curriculum": {
        "curriculum": {
            "_target_": "trainer.curriculum.paced.PacedCurriculum",
            "scores": {"_target_": "trainer.curriculum.scores.RandomScores"},
            "initial": 0.3,
            "full_at": 2,
        }
    },
    "class-balanced": {
        "criterion": {
            "_target_": "trainer.criteria.class_balanced.ClassBalancedCrossEntropy",
            "classes": 2,
            "beta": 0.9,
        }
    },
    "cnn10 on digits": {
        "batch_size": 64,
        "data": DIGITS,
        "model": {"_target_": "trainer.models.cnn10.Cnn10", "width": 0.02, **IMAGES},
    },
    "resnet on digits": {
        "iterations": 1,
        "batch_size": 64,
        "data": DIGITS,
        "model": {"_target_": "trainer.models.resnet.ResNet", "blocks": 1, "width": 4, **IMAGES},
    },
}


def train_all(folder: str) -> None:
    """Train each of the runs in a folder of its own, and write down the digests."""
    from trainer.trainer import ModularTaskTrainer  # noqa: PLC0415 - in a process of its own only

    digests = {}
    for name, changes in RUNS.items():
        run_dir = Path(folder, name)
        run_dir.mkdir()
        ModularTaskTrainer(TINY | changes, run_dir).train()
        digests[name] = json.loads((run_dir / "results.json").read_text())["digest"]
    Path(folder, "digests.json").write_text(json.dumps(digests))


def digests_now(folder: Path) -> dict[str, str]:
    """Return the digest of each run, as this version of the trainer computes it."""
    environment = {**os.environ, **SAME_EVERYWHERE, "PYTHONPATH": str(USER_CODE)}
    command = [sys.executable, __file__, str(folder)]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    found: dict[str, str] = json.loads((folder / "digests.json").read_text())
    return found


def renew() -> None:
    """Write down the digests of this version of the trainer, as those that must not change."""
    with tempfile.TemporaryDirectory() as folder:
        digests = digests_now(Path(folder))
    golden = {"numbers": NUMBERS, "torch": TORCH, "digests": digests}
    GOLDEN.write_text(json.dumps(golden, indent=2) + "\n")


@pytest.fixture(scope="module")
def digests(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the digests, computed once."""
    return digests_now(tmp_path_factory.mktemp("numbers"))


@pytest.mark.skipif(
    json.loads(GOLDEN.read_text())["torch"] != TORCH,
    reason="the digests were recorded with another version of PyTorch",
)
@pytest.mark.parametrize("name", RUNS)
def test_numbers_change_only_with_their_version(name: str, digests: dict[str, str]) -> None:
    """A change of results can neither land unnoticed nor be compared unnoticed."""
    golden = json.loads(GOLDEN.read_text())
    assert (golden["numbers"], golden["digests"].get(name)) == (NUMBERS, digests[name]), (
        f"{name}: the numbers changed. If that is wanted, raise NUMBERS in trainer/numbers_version.py, say"
        f" there what changed, and renew the digests: python tests/contract/test_numbers.py"
    )


def test_workers_are_none_of_the_numbers(digests: dict[str, str]) -> None:
    """Whichever process made the samples."""
    assert digests["augmented"] == digests["augmented, two workers"]


if __name__ == "__main__":
    train_all(sys.argv[1]) if len(sys.argv) > 1 else renew()
