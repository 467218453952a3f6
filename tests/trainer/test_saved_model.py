"""A model that is built again is the one that was saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from trainer.checkpoints.reading import SavedModules
from trainer.errors import CheckpointError
from trainer.saved_model import build_model, config_beside, rebuild_model

if TYPE_CHECKING:
    from pathlib import Path

LINEAR = {"model": {"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 1}}
DRAWING = {"model": {"_target_": f"{__name__}.Drawing", "in_features": 2, "out_features": 1}}


class Drawing(nn.Linear):
    """Draw random numbers for evaluations."""

    def eval(self) -> Drawing:
        """Draw some."""
        torch.rand(3)
        return super().eval()


def test_model_has_its_weights_and_nothing_random_is_used_up() -> None:
    saved = nn.Linear(2, 1).state_dict()
    before = torch.get_rng_state()
    for modes in (None, {"model": {"": True}}):
        modules = SavedModules({"model": saved}, modes)
        model = rebuild_model(DRAWING, modules, "cpu", with_average=True)
        assert torch.equal(torch.get_rng_state(), before)
        assert not model.training
        assert torch.equal(model.state_dict()["weight"], saved["weight"])


@pytest.mark.parametrize("is_averaged", [True, False])
def test_averaged_weights_are_those_of_the_evaluations(*, is_averaged: bool) -> None:
    states = {
        "model": nn.Linear(2, 1).state_dict(),
        "ema": {"weights": {"weight": torch.full((1, 2), 7.0)}},
    }
    config = LINEAR | {"ema": {"decay": 0.5}}
    saved = SavedModules(states)
    model = rebuild_model(config, saved, "cpu", with_average=is_averaged)
    assert (model.state_dict()["weight"].tolist() == [[7.0, 7.0]]) is is_averaged


def test_weights_that_do_not_fit_are_one_line() -> None:
    saved = SavedModules({"model": nn.Linear(3, 1).state_dict()})
    with pytest.raises(
        CheckpointError, match=r"^its weights do not fit Linear as it is built: .*3"
    ):
        rebuild_model(LINEAR, saved, "cpu", with_average=False)


def test_model_that_asks_for_data_gets_them() -> None:
    config = {
        "model": {"_target_": "grouped_modules.Sized"},
        "data": {"_target_": "user_modules.Tiny"},
    }
    assert build_model(config).count == 44


def test_config_is_that_of_the_run_only(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("seed: 3\n")
    for folder, found in (("checkpoints", {"seed": 3}), ("copies", None)):
        assert config_beside(tmp_path / folder / "best.pt") == found
    assert config_beside(tmp_path / "checkpoints" / "checkpoints" / "best.pt") is None
