"""Sentences that report a diverged training are recognized, and others are not."""

import pytest

from orchestrator.runner.divergence_messages import DIVERGED


@pytest.mark.parametrize(
    "line",
    [
        "Loss is nan, stopping training",
        "ValueError: The loss returned in `training_step` is nan.",
        "loss: nan",
        "loss=tensor(inf)",
        "FloatingPointError: divide by zero",
        "RuntimeError: Function 'MulBackward0' returned nan values in its 0th output.",
        "RuntimeError: The total norm of order 2.0 for gradients is non-finite, so it cannot be clipped.",
        "RuntimeError: probability tensor contains either `inf`, `nan` or element < 0",
        "Minimum loss scale reached (0.0001).",
        "the training has diverged",
        "Gradients contain NaN",
    ],
)
def test_report_of_divergence_is_recognized(line: str) -> None:
    assert DIVERGED.search(line)


@pytest.mark.parametrize(
    "line",
    [
        "ValueError: lr",
        "the loss is not nan",
        "KeyError: 'loss'",
        "ValueError: nan is not a valid name",
        "branches have diverged",
        "loss: 0.5",
    ],
)
def test_other_errors_are_not(line: str) -> None:
    assert not DIVERGED.search(line)
