"""Every optimizer and scheduler of PyTorch trains, and goes on exactly where it was."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest
import torch
from run_files import results_of
from torch.optim import Optimizer, lr_scheduler
from user_modules import Interrupted, run_program, sabotage

from trainer.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from run_files import MakeRun, Start, Train

# SparseAdam wants sparse gradients, Muon matrices only.
OPTIMIZERS = sorted(
    name
    for name, each in vars(torch.optim).items()
    if inspect.isclass(each) and issubclass(each, Optimizer)
    if name not in ("Optimizer", "SparseAdam", "Muon")
)
SCHEDULERS: dict[str, dict[str, Any]] = {
    "StepLR": {"step_size": 1},
    "MultiStepLR": {"milestones": [1, 3]},
    "ConstantLR": {"total_iters": 2},
    "LinearLR": {"total_iters": 3},
    "ExponentialLR": {"gamma": 0.5},
    "PolynomialLR": {"total_iters": 3},
    "CosineAnnealingLR": {"T_max": 3},
    "CosineAnnealingWarmRestarts": {"T_0": 2},
    "OneCycleLR": {"max_lr": 0.2, "total_steps": 4},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.2, "step_size_up": 2},
    "ReduceLROnPlateau": {"patience": 0},
}

L = "torch.optim.lr_scheduler"
LINEAR = {"_target_": f"{L}.LinearLR", "start_factor": 0.5, "total_iters": 2}
COSINE = {"_target_": f"{L}.CosineAnnealingLR", "T_max": 3}
HALVED = {"_target_": "grouped_modules.halved", "_partial_": True}
LAMBDA = {"_target_": f"{L}.LambdaLR", "lr_lambda": HALVED}
TIMES = {"_target_": f"{L}.MultiplicativeLR", "lr_lambda": HALVED}
PLATEAU = {"_target_": f"{L}.ReduceLROnPlateau"}


def chained(*schedulers: dict[str, Any]) -> dict[str, Any]:
    """Return schedulers of which all step."""
    return {"_target_": f"{L}.ChainedScheduler", "schedulers": [*schedulers]}


def in_turn(*schedulers: dict[str, Any]) -> dict[str, Any]:
    """Return schedulers that follow each other."""
    milestones = [*range(1, len(schedulers))]
    return {
        "_target_": f"{L}.SequentialLR",
        "milestones": milestones,
        "schedulers": [*schedulers],
    }


NESTED: dict[str, dict[str, Any]] = {
    "LambdaLR": LAMBDA,
    "MultiplicativeLR": TIMES,
    "in turn": in_turn(LINEAR, COSINE),
    "in turn, of functions": in_turn(LAMBDA, TIMES, COSINE),
    "chained": chained(LINEAR, COSINE),
    "chained, in turn": in_turn(chained(LINEAR, LAMBDA), COSINE),
    "in turn, chained": chained(in_turn(LINEAR, COSINE), LAMBDA),
}


def check(make_run: MakeRun, train: Train, tmp_path: Path, **changes: Any) -> None:
    """Compare a run that is interrupted with one that is not."""
    whole = make_run("whole", iterations=3, **changes)
    train(whole)
    saboteur = sabotage(tmp_path, "step_end", 3, "raise")
    broken = make_run("broken", iterations=3, curriculum=saboteur, **changes)
    with pytest.raises(Interrupted):
        train(broken)
    train(broken)
    assert results_of(broken)["digest"] == results_of(whole)["digest"]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_resumes_exactly(
    make_run: MakeRun, train: Train, tmp_path: Path, name: str
) -> None:
    """Those with a step of their own, too."""
    optimizer = {"_target_": f"torch.optim.{name}", "lr": 0.001}
    check(make_run, train, tmp_path, optimizer=optimizer)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_scheduler_resumes_exactly(
    make_run: MakeRun, train: Train, tmp_path: Path, name: str
) -> None:
    """Whatever it remembers is saved."""
    scheduler = {"_target_": f"torch.optim.lr_scheduler.{name}", **SCHEDULERS[name]}
    check(make_run, train, tmp_path, scheduler=scheduler)


@pytest.mark.filterwarnings("ignore:Detected call")  # PyTorch's, of those in turn
@pytest.mark.parametrize("name", NESTED)
def test_schedulers_inside_schedulers_get_the_optimizer_and_resume_exactly(
    make_run: MakeRun, train: Train, tmp_path: Path, name: str
) -> None:
    """At any depth."""
    check(make_run, train, tmp_path, scheduler=NESTED[name])


@pytest.mark.filterwarnings("ignore:Detected call")
@pytest.mark.parametrize(
    ("scheduler", "said"),
    [
        (in_turn(LINEAR, PLATEAU), r"does not support `ReduceLROnPlateau`"),
        (chained(LINEAR, PLATEAU), r"does not support `ReduceLROnPlateau`"),
        (in_turn(LINEAR, COSINE | {"Tmax": 3}), r"^scheduler\.schedulers\[1\]: .*'Tmax'"),
        (
            in_turn(chained(COSINE | {"no": 1}), LINEAR),
            r"^scheduler\.schedulers\[0\]\.schedulers\[0\]: .*'no'",
        ),
        (in_turn(LINEAR, {"_target_": f"{L}.Cosinus"}), r"^scheduler\.schedulers\[1\]\._target_"),
        (in_turn(LINEAR, COSINE) | {"milestones": []}, "one more than the number of milestone"),
        (in_turn(LINEAR, COSINE | {"_partial_": True}), "should have `optimizer`"),
    ],
)
def test_wrong_scheduler_inside_a_scheduler_is_one_line(
    make_run: MakeRun, train: Train, scheduler: dict[str, Any], said: str
) -> None:
    """With its place, if the trainer knows it."""
    with pytest.raises(ConfigError, match=said) as caught:
        train(make_run(scheduler=scheduler))
    assert "\n" not in str(caught.value)


def test_no_scheduler_is_left_out() -> None:
    """Those of functions and of other schedulers are tested by themselves."""
    known = {
        name
        for name, each in vars(lr_scheduler).items()
        if inspect.isclass(each) and issubclass(each, lr_scheduler.LRScheduler)
    }
    of_functions = {
        "LRScheduler",
        "_LRScheduler",
        "LambdaLR",
        "MultiplicativeLR",
        "ChainedScheduler",
        "SequentialLR",
    }
    assert known - of_functions == {*SCHEDULERS}


@pytest.mark.soak
def test_compiled_model_resumes_exactly(make_run: MakeRun, start: Start, tmp_path: Path) -> None:
    """What is compiled depends on the shape of a batch alone, not on the batches before it."""
    changes = {"compile": True, "training_type": "step", "model__dropout": 0.3}
    whole = make_run("whole", **changes)
    assert start(run_program, str(whole)) == 0
    killed = make_run("killed", curriculum=sabotage(tmp_path, "step_end", 3, "kill"), **changes)
    assert start(run_program, str(killed)) == -9
    assert start(run_program, str(killed)) == 0
    assert results_of(killed)["digest"] == results_of(whole)["digest"]
