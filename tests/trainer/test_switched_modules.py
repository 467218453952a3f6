"""Models that change when they are switched are restored as they were saved, and evaluated as they were trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from odd_modules import (
    Anchored,
    Dora,
    Folding,
    FoldingInEval,
    HeadOnly,
    KeptBackbone,
    Merging,
    Registering,
    Replacing,
)
from omegaconf import OmegaConf
from run_files import results_of
from torch import nn
from user_modules import Interrupted, Tiny

import trainer
from trainer.errors import TrainingPaused
from trainer.switched_modules import (
    as_trained,
    load_as_saved,
    modes_of,
    switch_to,
)
from trainer.trainer import ModularTaskTrainer

if TYPE_CHECKING:
    from run_files import Interrupt, MakeRun, Train

X = torch.eye(6)


def trained(model: nn.Module) -> nn.Module:
    """Return a model in evaluation mode whose weights are not the first ones."""
    with torch.no_grad():
        for number, each in enumerate(model.parameters()):
            each.add_(0.1 * (number + 1))
    return model.eval()


KINDS = [Merging, Folding, FoldingInEval, Replacing, Dora, HeadOnly, Anchored, KeptBackbone]


def is_alike(one: nn.Module, other: nn.Module) -> bool:
    states = one.state_dict(), other.state_dict()
    return list(states[0]) == list(states[1]) and all(
        torch.equal(each, states[1][name]) for name, each in states[0].items()
    )


def in_training(model: nn.Module) -> tuple[dict[str, torch.Tensor], dict[str, bool]]:
    """Return what is saved of a model: its state in training mode, and its modes."""
    modes = modes_of(model)
    with as_trained(model):
        state = {name: each.clone() for name, each in model.state_dict().items()}
    return state, modes


@pytest.mark.parametrize("mode", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_model_that_goes_on_and_the_one_that_was_loaded_stay_alike(
    kind: type[nn.Module],
    mode: bool,  # noqa: FBT001 - a case
) -> None:
    """Their weights to the bit, and what they make of them."""
    saved = trained(kind())
    if mode and kind is not Anchored:  # what it makes when it is switched is not there otherwise
        saved.train()
    state, modes = in_training(saved)
    loaded = kind()
    load_as_saved(loaded, lambda: loaded.load_state_dict(state), modes)
    assert modes_of(loaded) == modes_of(saved) == modes
    for _ in range(2):
        for is_training in (True, False):
            outputs = []
            for model in (saved, loaded):
                torch.manual_seed(0)
                outputs.append(model.train(is_training)(X))
            assert torch.equal(*outputs)
            assert is_alike(loaded, saved)


@pytest.mark.parametrize("kind", [Merging, Folding, Registering, nn.Linear])
def test_state_of_an_earlier_version_was_saved_in_evaluation_mode(kind: type[nn.Module]) -> None:
    arguments = (6, 2) if kind is nn.Linear else ()
    saved = trained(kind(*arguments))
    loaded = kind(*arguments)
    load_as_saved(loaded, lambda: loaded.load_state_dict(saved.state_dict()), None)
    assert is_alike(loaded, saved)
    assert not loaded.training
    assert torch.equal(loaded(X), saved(X))


class Whitening(nn.Module):
    """Need for evaluations what it has learned."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("covariance", torch.zeros(6, 6))
        self.inverse = torch.zeros(6, 6)

    def train(self, mode: bool = True) -> Whitening:  # noqa: FBT001, FBT002 - PyTorch's signature
        """Invert the covariance for evaluations."""
        self.inverse = self.inverse if mode else torch.linalg.inv(self.covariance)
        return super().train(mode)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the whitened samples."""
        return x @ self.inverse


@pytest.mark.parametrize("is_old", [True, False])
def test_evaluation_mode_may_need_what_was_learned(*, is_old: bool) -> None:
    saved = Whitening()
    saved.covariance.copy_(2 * torch.eye(6))
    modes = None if is_old else modes_of(saved)
    loaded = Whitening()
    load_as_saved(loaded, lambda: loaded.load_state_dict(saved.state_dict()), modes)
    assert torch.equal(loaded.eval()(X), X / 2)


def test_modes_are_those_of_each_part() -> None:
    """Only those are told that are in another mode than what they are in."""
    model = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.Dropout(), nn.Linear(1, 1)))
    model[1].eval()
    model[1][0].train()
    modes = modes_of(model)
    assert modes == {"": True, "1": False, "1.0": True}
    other = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.Dropout(), nn.Linear(1, 1))).eval()
    switch_to(other, modes)
    assert [each.training for each in other.modules()] == [
        each.training for each in model.modules()
    ]


def test_part_in_two_places_is_switched_by_its_own_method() -> None:
    shared = Merging()
    model = nn.ModuleDict({"encoder": nn.Sequential(shared), "teacher": nn.Sequential(shared)})
    with torch.no_grad():
        shared.up.fill_(1.0)
    model["teacher"].eval()
    model["encoder"].train()
    before = shared.frozen.weight.clone()
    modes = modes_of(model)
    model.train()
    switch_to(model, modes)
    assert modes_of(model) == modes
    torch.testing.assert_close(shared.frozen.weight, before)


def test_modes_of_parts_that_are_gone_are_no_matter() -> None:
    switch_to(model := nn.Linear(1, 1), {"": False, "gone": True})
    assert not model.training


def test_other_models_are_not_switched() -> None:
    """Nothing of them depends on it; what is in training, stays."""
    model = nn.Linear(1, 1).eval()
    with as_trained(model):
        assert not model.training
    folding = Folding().eval()
    with as_trained(folding):
        assert folding.training
    assert not folding.training
    assert not model.training


@pytest.mark.parametrize(
    "kind",
    [
        "Sampling",
        "Dora",
        "Registering",
        "Counting",
        "Anchored",
        "HeadOnly",
        "Passing",
        "KeptBackbone",
    ],
)
@pytest.mark.parametrize("every", [1, 2])
def test_model_that_is_switched_by_a_callback_resumes_as_it_was(
    interrupt: Interrupt, capfd: pytest.CaptureFixture[str], kind: str, every: int
) -> None:
    checkpoint = {"every": every}
    model = {"_target_": f"odd_modules.{kind}"}
    broken = interrupt("iteration_begin", 3, model=model, checkpoint=checkpoint)
    assert "could not be resumed" not in capfd.readouterr().out
    model, criterion = trainer.load(broken), nn.CrossEntropyLoss()
    samples, targets = Tiny().test[:]
    assert criterion(model(samples), targets).item() == pytest.approx(
        results_of(broken)["test"]["test/loss"]
    )


def test_model_that_draws_for_its_evaluations_resumes_as_it_was(interrupt: Interrupt) -> None:
    """With a generator of its own."""
    interrupt("iteration_begin", 3, model={"_target_": "odd_modules.DrawingItself"})


@pytest.mark.parametrize("kind", ["Merging", "Counting", "Anchored", "Passing", "Drawing"])
def test_run_that_is_stopped_between_two_checkpoints_ends_as_if_it_was_not(
    make_run: MakeRun, train: Train, kind: str
) -> None:
    """Its state would not have been saved otherwise."""
    changes = {"model": {"_target_": f"odd_modules.{kind}"}, "checkpoint": {"every": 3}}
    train(whole := make_run("whole", **changes))
    stopped = make_run("stopped", **changes)
    config: Any = OmegaConf.to_container(OmegaConf.load(stopped / "config.yaml"))
    first = ModularTaskTrainer(config, stopped)
    first.stop_after = 1
    with pytest.raises(TrainingPaused):
        first.train()
    train(stopped)
    for part in ("digest", "test", "best", "final"):
        assert results_of(stopped)[part] == results_of(whole)[part], part


@pytest.mark.parametrize("kind", ["Merging", "Registering", "Dora"])
def test_interval_of_checkpoints_changes_no_result(
    make_run: MakeRun, train: Train, kind: str
) -> None:
    """Also where the best iteration is one that is kept in memory only."""
    found = []
    for every in (1, 2, 3, 10):
        best = {"metric": "train/loss", "mode": "max", "every": every}
        model = {"_target_": f"odd_modules.{kind}"}
        train(run_dir := make_run(f"every-{every}", model=model, checkpoint=best))
        samples, targets = Tiny().test[:]
        loss = nn.functional.cross_entropy(trainer.load(run_dir)(samples), targets).item()
        found.append((results_of(run_dir)["test"], results_of(run_dir)["digest"], loss))
    assert all(each == found[0] for each in found)
    assert found[0][2] == pytest.approx(found[0][0]["test/loss"])


class Ending:
    """Interrupts the test, once."""

    def cb_on_evaluation_begin(self, trainer: Any, _: int) -> None:
        """Interrupt it."""
        mark = trainer.run_dir / "interrupted"
        if trainer.evaluating == "test" and not mark.exists():
            mark.touch()
            raise Interrupted


@pytest.mark.parametrize("tested", ["best", "last"])
@pytest.mark.parametrize(
    ("role", "kind"),
    [
        ("model", "Folding"),
        ("model", "HeadOnly"),
        ("model", "Drawing"),
        ("model", "DrawingItself"),
        ("model", "KeptBackbone"),
        ("criterion", "FoldingLoss"),
    ],
)
def test_interrupted_test_has_the_same_result(
    make_run: MakeRun, train: Train, tested: str, role: str, kind: str
) -> None:
    folding = {role: {"_target_": f"odd_modules.{kind}"}, "test_with": tested}
    train(whole := make_run("whole", **folding))
    broken = make_run("broken", curriculum={"_target_": f"{__name__}.Ending"}, **folding)
    with pytest.raises(Interrupted):
        train(broken)
    train(broken)
    assert results_of(broken)["test"] == results_of(whole)["test"]
    model = trainer.load(broken, weights=tested)
    assert torch.equal(model(X), trainer.load(whole, weights=tested)(X))
