"""Optimizers and schedulers that modules hold are saved, wherever they hold them."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
import torch
from adversaries import Noising, Storing
from thinning import combined
from torch import nn

from trainer.config_file import read_config
from trainer.held_optimizers import HeldOptimizers
from trainer.trainer import ModularTaskTrainer

if TYPE_CHECKING:
    from run_files import Interrupt, MakeRun


@pytest.mark.parametrize(
    ("hold", "event"),
    combined(hold=["attributes", "list", "dict"], event=["step_end", "iteration_begin"]),
)
def test_interrupted_run_ends_with_the_same_bits(
    interrupt: Interrupt, hold: str, event: str
) -> None:
    """Though the module itself does not save them."""
    noising = {"_target_": "adversaries.Noising", "hold": hold}
    interrupt(event, 3, role="data", by="user_modules.FragileTiny", curriculum=noising)


@pytest.mark.parametrize("hold", ["attributes", "list", "dict"])
def test_each_is_found_once(hold: str) -> None:
    held = HeldOptimizers({"curriculum": Noising(hold)})
    held.begin()
    found = [*held.find().values()]
    assert {type(each) for each in found} == {
        torch.optim.Adam,
        torch.optim.lr_scheduler.ExponentialLR,
    }
    assert len(found) == 2


def test_those_of_the_config_are_not_saved_twice(make_run: MakeRun) -> None:
    schedule = {"_target_": "torch.optim.lr_scheduler.StepLR", "step_size": 1}
    run_dir = make_run(curriculum={"_target_": "adversaries.Storing"}, scheduler=schedule)
    trainer = ModularTaskTrainer(read_config(run_dir / "config.yaml"), run_dir)
    trainer.train()
    assert isinstance(trainer.curriculum, Storing)
    assert trainer.held.state_dict() == {}


class Wrapping(torch.optim.Optimizer):
    """Hold an optimizer, as Lookahead and some SAM do, and forget its state."""

    def __init__(self, parameters: Any) -> None:
        self.inner = torch.optim.Adam(parameters)
        super().__init__(self.inner.param_groups, {})
        self.param_groups = self.inner.param_groups

    def step(self, closure: Any = None) -> Any:
        return self.inner.step(closure)


class PassingOn(Wrapping):
    """Save it, as a copy."""

    def state_dict(self) -> dict[str, Any]:
        return {"its": deepcopy(self.inner.state_dict())}


def test_state_that_an_optimizer_holds_and_forgets_is_told_once(
    capfd: pytest.CaptureFixture[str],
) -> None:
    for kind in (Wrapping, PassingOn, torch.optim.Adam):
        model = nn.Linear(2, 2)
        optimizer = kind(model.parameters())
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        held = HeldOptimizers({"optimizer": optimizer})
        held.tell_unsaved()
        held.tell_unsaved()
    said = capfd.readouterr()
    assert (said.out + said.err).count("note: ") == 1
    assert (
        "no state_dict() saves the state of optimizer.inner: a resumed run" in said.out + said.err
    )
