"""In float16 the loss is scaled, steps without finite gradients are skipped, and a kill changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from run_files import results_of
from thinning import combined
from torch.amp import GradScaler

from trainer.config_file import read_config
from trainer.errors import ConfigError, Diverged
from trainer.loss_scale import LEAST, check_scale, choose_scaler
from trainer.trainer import ModularTaskTrainer

if TYPE_CHECKING:
    from run_files import Interrupt, MakeRun, Train

CPU = torch.device("cpu")
HALF = {"precision": "float16"}
WAYS: dict[str, dict[str, Any]] = {
    "sgd": {},
    "fused adam": {"optimizer": {"_target_": "torch.optim.Adam", "lr": 0.01, "fused": True}},
    "clipped and accumulated": {"clip_norm": 0.1, "accumulate": 2},
    "per update": {
        "scheduler": {
            "_target_": "torch.optim.lr_scheduler.OneCycleLR",
            "max_lr": 0.2,
            "total_steps": 24,
        }
    },
    "averaged": {"ema": {"decay": 0.9}},
    "a scale that changes": {"criterion": {"_target_": "scaled_modules.Steep"}},
}


@pytest.mark.parametrize(
    ("way", "training_type"), combined(way=WAYS, training_type=["epoch", "step"])
)
def test_interrupted_run_ends_with_the_same_bits(
    interrupt: Interrupt, way: str, training_type: str
) -> None:
    interrupt("step_end", 3, training_type=training_type, **HALF, **WAYS[way])


def test_scale_is_saved(make_run: MakeRun, train: Train) -> None:
    """The gradients of a steep loss overflow until the scale has been lowered."""
    run_dir = make_run(**HALF, **WAYS["a scale that changes"])
    train(run_dir)
    again = ModularTaskTrainer(read_config(run_dir / "config.yaml"), run_dir)
    again.train()
    assert again.update.scaler is not None
    assert again.update.scaler.get_scale() < GradScaler("cpu").get_scale()


def test_float16_learns_and_differs(make_run: MakeRun, train: Train) -> None:
    digests = set()
    for precision in ("float16", "bfloat16", "float32"):
        run_dir = make_run(precision, precision=precision)
        assert train(run_dir)["test/accuracy"] > 0.7
        digests.add(results_of(run_dir)["digest"])
    assert len(digests) == 3


def test_clipped_gradients_are_not_scaled(make_run: MakeRun, train: Train) -> None:
    """If they were, the same limit would stop the training."""
    losses = {}
    for precision in ("float16", "float32"):
        run_dir = make_run(precision, precision=precision, clip_norm=0.3)
        train(run_dir)
        losses[precision] = results_of(run_dir)["final"]["train/loss"]
    assert losses["float16"] == pytest.approx(losses["float32"], rel=0.01)


@pytest.mark.parametrize(
    "optimizer",
    [
        {"_target_": "torch.optim.LBFGS"},
        {
            "_target_": "trainer.optimizers.sam.Sam",
            "lr": 0.1,
            "base": {"_target_": "torch.optim.SGD", "_partial_": True},
        },
    ],
)
def test_optimizer_with_a_closure_is_refused(
    make_run: MakeRun, train: Train, optimizer: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match=r"^precision: \w+ computes several losses per step"):
        train(make_run(optimizer=optimizer, **HALF))


def test_only_float16_is_scaled() -> None:
    assert choose_scaler(CPU, "float32") is choose_scaler(CPU, "bfloat16") is None
    check_scale(None, 1)


def test_gradients_that_are_never_finite_end_the_run() -> None:
    check_scale(GradScaler("cpu"), 1)
    with pytest.raises(Diverged, match=r"^iteration 7: gradients are not finite in float16"):
        check_scale(GradScaler("cpu", init_scale=LEAST / 2), 7)
