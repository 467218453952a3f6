"""A schedule that counts updates takes its steps per update, or the config says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from run_files import Interrupt, MakeRun, Start, Train, points_of, results_of
from schedules import in_sequence
from thinning import combined
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR, ReduceLROnPlateau
from user_modules import run_program, sabotage

from trainer.errors import ConfigError
from trainer.schedule_interval import ITERATION, STEP, Length, interval_of, without_interval

if TYPE_CHECKING:
    from pathlib import Path

TORCH = "torch.optim.lr_scheduler"
# The tiny runs have 44 samples in batches of 8, and 4 iterations.
UPDATES = 6 * 4
ONE_CYCLE = {"_target_": f"{TORCH}.OneCycleLR", "max_lr": 0.2, "total_steps": UPDATES}
CYCLIC = {"_target_": f"{TORCH}.CyclicLR", "base_lr": 0.01, "max_lr": 0.2, "step_size_up": 5}
COSINE = {"_target_": f"{TORCH}.CosineAnnealingLR", "T_max": UPDATES}
PLATEAU = {"_target_": f"{TORCH}.ReduceLROnPlateau", "patience": 0}
WARM_UP = {"_target_": "schedules.get_schedule", "steps": 15}
SEQUENCE = {"_target_": "schedules.in_sequence", "steps": 15}
OWN_STEP = ONE_CYCLE | {"_target_": "schedules.OwnStep"}
PER_STEP = ONE_CYCLE | {"_target_": "stand_ins.PerStep"}
UNKNOWN = Length(4, None)


def rates(run_dir: Path) -> list[float]:
    """Return the rate at the end of each iteration."""
    return [point["value"] for point in points_of(run_dir) if point["key"] == "lr"]


def rates_by_hand(make: Any, every: int) -> list[float]:
    """Return the rates of a loop as PyTorch's documentation has it."""
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
    scheduler, found = make(optimizer), []
    for update in range(1, UPDATES + 1):
        optimizer.step()
        if every == 1:
            scheduler.step()
        if update % 6 == 0:
            found.append(float(optimizer.param_groups[0]["lr"]))
            if every != 1:
                scheduler.step()
    return found


@pytest.mark.parametrize(
    ("scheduler", "make", "every"),
    [
        (ONE_CYCLE, lambda it: OneCycleLR(it, 0.2, total_steps=UPDATES), 1),
        (ONE_CYCLE | {"interval": "step"}, lambda it: OneCycleLR(it, 0.2, total_steps=UPDATES), 1),
        (
            ONE_CYCLE | {"interval": "iteration"},
            lambda it: OneCycleLR(it, 0.2, total_steps=UPDATES),
            6,
        ),
        (ONE_CYCLE | {"total_steps": 5}, lambda it: OneCycleLR(it, 0.2, total_steps=5), 6),
        (COSINE, lambda it: CosineAnnealingLR(it, UPDATES), 6),
        (COSINE | {"interval": "step"}, lambda it: CosineAnnealingLR(it, UPDATES), 1),
    ],
)
def test_rates_are_those_of_a_loop_by_hand(
    make_run: MakeRun, train: Train, scheduler: dict[str, Any], make: Any, every: int
) -> None:
    run_dir = make_run(scheduler=scheduler)
    train(run_dir)
    assert rates(run_dir) == rates_by_hand(make, every)


@pytest.mark.parametrize("scheduler", [ONE_CYCLE, CYCLIC, WARM_UP, SEQUENCE])
def test_interval_that_the_class_tells_is_the_one_that_is_written(
    make_run: MakeRun, train: Train, scheduler: dict[str, Any]
) -> None:
    told = make_run("told", scheduler=scheduler)
    written = make_run("written", scheduler=scheduler | {"interval": "step"})
    other = make_run("other", scheduler=scheduler | {"interval": "iteration"})
    for run_dir in (told, written, other):
        train(run_dir)
    assert results_of(told)["digest"] == results_of(written)["digest"]
    assert results_of(told)["digest"] != results_of(other)["digest"]


@pytest.mark.parametrize(
    ("training_type", "accumulate", "scheduler"),
    combined(
        training_type=["epoch", "step"],
        accumulate=[1, 2],
        scheduler=[ONE_CYCLE, CYCLIC, COSINE | {"interval": "step"}],
    ),
)
def test_interrupted_run_ends_with_the_same_digest(
    interrupt: Interrupt, scheduler: dict[str, Any], accumulate: int, training_type: str
) -> None:
    interrupt(
        "step_end",
        3,
        scheduler=scheduler,
        accumulate=accumulate,
        training_type=training_type,
        eval_every=5,
    )


def test_killed_run_ends_with_the_same_digest(
    make_run: MakeRun, train: Train, start: Start, tmp_path: Path
) -> None:
    whole = make_run("whole", scheduler=ONE_CYCLE)
    train(whole)
    killing = sabotage(tmp_path, "step_end", 2, "kill")
    broken = make_run("broken", scheduler=ONE_CYCLE, curriculum=killing)
    assert start(run_program, broken) < 0
    assert start(run_program, broken) == 0
    assert results_of(broken)["digest"] == results_of(whole)["digest"]


def test_schedule_that_steps_itself_in_a_callback_is_left_alone(
    make_run: MakeRun, train: Train
) -> None:
    """As it was written before there was the key."""
    own, told = make_run("own", scheduler=PER_STEP), make_run("told", scheduler=ONE_CYCLE)
    train(own)
    train(told)
    assert rates(own) == rates(told)


@pytest.mark.parametrize(
    ("scheduler", "said"),
    [
        (
            ONE_CYCLE | {"total_steps": 9},
            r"OneCycleLR takes 9 steps, but the training has 24 updates",
        ),
        (
            ONE_CYCLE | {"total_steps": 4, "interval": "step"},
            r"takes 4 steps.* total_steps: 24, or",
        ),
        (
            PLATEAU | {"interval": "step"},
            r"interval: ReduceLROnPlateau needs the loss of a validation",
        ),
        (OWN_STEP, r"interval: missing. OwnStep has a step\(\) of its own"),
        (COSINE | {"interval": "epoch"}, r"interval: 'epoch' is not one of iteration, step"),
        (COSINE | {"interval": 1}, r"interval: 1 is not one of iteration, step"),
    ],
)
def test_schedule_that_would_be_stepped_wrongly_is_refused(
    make_run: MakeRun, train: Train, scheduler: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        train(make_run(scheduler=scheduler))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("interval", ["step", "iteration"])
def test_schedule_with_a_step_of_its_own_does_as_it_is_told(
    make_run: MakeRun, train: Train, interval: str
) -> None:
    train(make_run(scheduler=OWN_STEP | {"interval": interval}))


def test_parameter_of_the_same_name_is_the_targets_own(make_run: MakeRun, train: Train) -> None:
    run_dir = make_run(scheduler={"_target_": "schedules.TakesInterval", "interval": 2})
    train(run_dir)
    assert rates(run_dir) == pytest.approx([0.1, 0.1, 0.01, 0.01])


def test_key_without_a_scheduler_has_no_effect(make_run: MakeRun, train: Train) -> None:
    """So an axis may have a schedule and none."""
    train(make_run(scheduler={"name": "none", "interval": "step"}))


def test_config_without_the_key_is_left_alone() -> None:
    config = {"scheduler": COSINE}
    assert without_interval(config) is config


def test_length_that_callbacks_may_change_is_not_held_against_a_schedule() -> None:
    optimizer = SGD([torch.zeros(1)], lr=0.1)
    short = OneCycleLR(optimizer, 0.2, total_steps=2)
    assert interval_of({"scheduler": {}}, short, UNKNOWN) == STEP


def test_part_of_a_schedule_tells() -> None:
    optimizer = SGD([torch.zeros(1)], lr=0.1)
    assert interval_of({}, in_sequence(optimizer, 3), UNKNOWN) == STEP
    assert interval_of({}, ReduceLROnPlateau(optimizer), UNKNOWN) == ITERATION
