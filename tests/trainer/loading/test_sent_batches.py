"""What a loader worker cannot send to the trainer is an error, not a wait for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from user_modules import run_program

from trainer.errors import ConfigError
from trainer.loading.sent_batches import as_sendable, check_sendable

if TYPE_CHECKING:
    from run_files import MakeRun, Start

WORKERS: dict[str, Any] = {"num_workers": 1}
LISTS = {"collate_fn": {"_target_": "unsent_samples.as_lists", "_partial_": True}}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (
            "a function",
            "data: a loader worker makes a function, which cannot be sent to the trainer",
        ),
        ("a local object", "data: a loader worker makes a Local, which cannot be sent"),
        ("a gradient", "data: a loader worker makes a tensor that needs a gradient"),
        ("an array of functions", "data: a loader worker makes a ndarray, which cannot be sent"),
    ],
)
def test_batch_that_cannot_be_sent_is_refused(
    make_run: MakeRun, start: Start, how: str, said: str
) -> None:
    data = {"_target_": "unsent_samples.Unsent", "how": how}
    run_dir = make_run(data=data, dataloader=WORKERS | LISTS)
    assert start(run_program, str(run_dir)) == 2
    (line,) = (run_dir / "err.log").read_text().splitlines()
    assert line.startswith(said)


def test_error_that_cannot_be_sent_is_told_with_its_place(make_run: MakeRun, start: Start) -> None:
    data = {"_target_": "unsent_samples.Unsent", "how": "a local error"}
    run_dir = make_run(data=data, dataloader=WORKERS)
    assert start(run_program, str(run_dir)) == 1
    said = (run_dir / "err.log").read_text()
    assert "unsent_samples.py" in said
    assert "RuntimeError: LocalError was raised where samples are made: broken" in said


def test_usual_batches_and_errors_can_be_sent() -> None:
    weights = torch.ones(2, requires_grad=True)
    check_sendable([{"a": torch.ones(2), 1: (None, "b", 2.5)}, np.ones(3), weights, ValueError(1)])
    error = KeyError("a")
    assert as_sendable(error) is error


def test_tensor_with_a_history_cannot() -> None:
    with pytest.raises(ConfigError, match="needs a gradient"):
        check_sendable({"a": [torch.ones(2, requires_grad=True) * 2]})
