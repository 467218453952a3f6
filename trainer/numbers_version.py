"""Owns the version of the numbers: raised whenever the same configuration gives other results.

Whatever computes counts: loading, the order of samples, random numbers, arithmetic, metrics, and the
modules that are shipped. `tests/contract/test_numbers.py` notices a change. It stands in each
checkpoint and in `results.json`, so that nobody compares results of two versions without knowing.

| version | since |
|---|---|
| 0 | checkpoints and results that name no version |
| 1 | versions are recorded |
| 2 | `clip_norm` counts what the optimizer was given; digests cover every module |
| 3 | samples and their collating are seeded by batch; evaluation takes the training's batch size |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trainer.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping

NUMBERS: Final = 3

# What `checkpoint.other_numbers` may say; the first is the default. The variable goes before the key.
OTHER_NUMBERS: Final = "TRAINER_OTHER_NUMBERS"
RESTART, RESUME, REFUSE = CHOICES = ("restart", "resume", "refuse")


def numbers_of(state: Mapping[str, object]) -> int:
    """Return the version of the numbers that a state was computed with."""
    found = state.get("numbers", 0)
    return found if isinstance(found, int) else 0


def may_resume(state: Mapping[str, object], choice: str) -> bool:
    """Tell whether a run goes on from a state, or begins again.

    Args:
        state: What a checkpoint holds.
        choice: What to do if other numbers made it: one of `CHOICES`.

    Raises:
        CheckpointError: If other numbers made it and the user wants to decide.
    """
    before = numbers_of(state)
    if before != NUMBERS and choice == REFUSE:
        raise CheckpointError(
            f"checkpoint.other_numbers: iteration {state['iteration']} was computed with numbers"
            f" {before}, this version of the trainer computes numbers {NUMBERS}: results would be"
            f" of neither. Install the version that began the run, or set {OTHER_NUMBERS}=restart, or"
            " =resume, in the environment."
        )
    return before == NUMBERS or choice == RESUME
