"""Models that change when they are switched are restored as they were saved, and evaluated as they were trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from odd_modules import Folding, Merging
from run_files import results_of
from torch import nn
from user_modules import Interrupted

import trainer
from trainer.switched_modules import as_trained, prepare_for_evaluation

if TYPE_CHECKING:
    from run_files import MakeRun, Train

X = torch.eye(6)


def trained(model: nn.Module) -> nn.Module:
    """Return a model in evaluation mode whose weights are not the first ones."""
    with torch.no_grad():
        for number, each in enumerate(model.parameters()):
            each.add_(0.1 * (number + 1))
    return model.eval()


@pytest.mark.parametrize("kind", [Merging, Folding])
def test_loaded_model_is_the_saved_one(kind: type[nn.Module]) -> None:
    """Its weights to the bit, and what it makes of them."""
    saved = trained(kind())
    loaded = kind().eval()
    loaded.load_state_dict(saved.state_dict())
    prepare_for_evaluation(loaded)
    assert torch.equal(loaded(X), saved(X))
    for name, each in loaded.state_dict().items():
        assert torch.equal(each, saved.state_dict()[name])


def test_other_models_are_not_switched() -> None:
    """Nothing of them depends on it; what is in training, stays."""
    model = nn.Linear(1, 1).eval()
    with as_trained(model):
        assert not model.training
    folding = Folding().eval()
    with as_trained(folding):
        assert folding.training
    assert not folding.training
    prepare_for_evaluation(folding.train())
    assert folding.training


class Ending:
    """Interrupts the test, once."""

    def cb_on_evaluation_begin(self, trainer: Any, _: int) -> None:
        """Interrupt it."""
        mark = trainer.run_dir / "interrupted"
        if trainer.evaluating == "test" and not mark.exists():
            mark.touch()
            raise Interrupted


@pytest.mark.parametrize("tested", ["best", "last"])
def test_interrupted_test_has_the_same_result(make_run: MakeRun, train: Train, tested: str) -> None:
    folding = {"model": {"_target_": "odd_modules.Folding"}, "test_with": tested}
    train(whole := make_run("whole", **folding))
    broken = make_run("broken", curriculum={"_target_": f"{__name__}.Ending"}, **folding)
    with pytest.raises(Interrupted):
        train(broken)
    train(broken)
    assert results_of(broken)["test"] == results_of(whole)["test"]
    model = trainer.load(broken, weights=tested)
    assert torch.equal(model(X), trainer.load(whole, weights=tested)(X))
