"""A training in which no weight changes is told in one line; one that has not begun to change them is not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from trainer.still_weights import _sum_of_bits

if TYPE_CHECKING:
    from run_files import MakeRun, Train

TOLD = "note: no parameter of the model has changed in iteration "
IDLE = {"_target_": "idle_modules.Idle", "lr": 0.1}
STILL: dict[str, tuple[dict[str, Any], str]] = {
    "step does nothing": ({"optimizer": IDLE}, "Idle.step"),
    "step wants a closure": (
        {"optimizer": {"_target_": "idle_modules.Asking", "lr": 0.1}},
        "Asking",
    ),
    "rate is too small": ({"optimizer__lr": 1e-30}, "SGD.step"),
    "gradients are zero": ({"criterion": {"_target_": "idle_modules.Zero"}}, "SGD.step"),
    "own update does nothing": (
        {"curriculum": {"_target_": "idle_modules.OwnUpdate"}},
        "OwnUpdate.cb_on_update",
    ),
    "float16": ({"optimizer": IDLE, "precision": "float16"}, "Idle.step"),
}
MOVED: dict[str, dict[str, Any]] = {
    "usual": {},
    "by data": {"optimizer": {"_target_": "idle_modules.ByData", "lr": 0.1}},
    "warm-up begins at 0": {"scheduler": {"_target_": "idle_modules.warm_up"}},
    "never a rate": {"optimizer__lr": 0},
    "half": {"model": {"_target_": "idle_modules.Half"}},
    "own update": {"curriculum": {"_target_": "idle_modules.OwnUpdate", "is_idle": False}},
}


@pytest.mark.parametrize("case", STILL)
def test_training_without_a_change_is_told_once(
    make_run: MakeRun, train: Train, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    """Also where the rate of the first iterations was 0; `orch` shows the note."""
    changes, by = STILL[case]
    run_dir = make_run(iterations=3, eval_every=1, training_type="step", **changes)
    train(run_dir)
    said = capsys.readouterr().out
    assert said.count(TOLD) == 1
    assert by in said
    assert json.loads((run_dir / "progress.json").read_text())["note"] in said


@pytest.mark.parametrize("case", MOVED)
def test_training_that_changes_weights_says_nothing(
    make_run: MakeRun, train: Train, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    train(make_run(iterations=3, **MOVED[case]))
    assert TOLD not in capsys.readouterr().out


def test_iterations_without_a_rate_do_not_count(
    make_run: MakeRun, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    scheduler = {"_target_": "idle_modules.warm_up"}
    train(make_run(iterations=3, scheduler=scheduler, optimizer=IDLE))
    assert f"{TOLD}2," in capsys.readouterr().out


@pytest.mark.parametrize(
    "dtype",
    [
        torch.float32,
        torch.float64,
        torch.float16,
        torch.bfloat16,
        torch.complex64,
        torch.complex128,
    ],
)
def test_smallest_change_of_any_type_is_seen(dtype: torch.dtype) -> None:
    tensor = nn.Parameter(torch.ones(3, 4, dtype=dtype).t())
    before = _sum_of_bits(tensor)
    assert before == _sum_of_bits(tensor)
    with torch.no_grad():
        parts = torch.view_as_real(tensor) if tensor.is_complex() else tensor
        parts[1, 2] += torch.finfo(dtype).eps
    assert _sum_of_bits(tensor) != before


def test_tensors_that_cannot_be_compared_count_as_changed() -> None:
    lazy = nn.LazyLinear(2).weight
    assert _sum_of_bits(lazy) != _sum_of_bits(lazy)
    sparse = torch.eye(3).to_sparse()
    assert _sum_of_bits(sparse) != _sum_of_bits(sparse)
