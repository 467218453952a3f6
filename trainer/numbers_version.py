"""The numbers version: incremented whenever the same configuration gives other results.

All computations count: loading, the order of samples, random numbers, arithmetic, metrics, and the
shipped modules. `tests/contract/test_numbers.py` detects a change. The version is saved in each
checkpoint and in `results.json`, so that results of different versions can be told apart.

| version | since |
|---|---|
| 0 | checkpoints and results without a version |
| 1 | versions are recorded |
| 2 | `clip_norm` covers the parameters of the optimizer; digests cover every module |
| 3 | samples and their collating are seeded by batch; evaluation takes the training's batch size |
| 4 | `OneCycleLR`, `CyclicLR` and the schedules of Transformers step per update |
| 5 | a pass has as many batches as the sampler yields in its epoch, not in the one before |
| 6 | a model that changes when it is evaluated is averaged, tested and saved as it was trained |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trainer.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping

NUMBERS: Final = 6

# The values of `checkpoint.other_numbers`; the first is the default. The variable overrides the key.
OTHER_NUMBERS: Final = "TRAINER_OTHER_NUMBERS"
RESTART, RESUME, REFUSE = CHOICES = ("restart", "resume", "refuse")


def numbers_of(state: Mapping[str, object]) -> int:
    """Return the numbers version that a state was computed with."""
    found = state.get("numbers", 0)
    return found if isinstance(found, int) else 0


def may_resume(state: Mapping[str, object], choice: str) -> bool:
    """Return whether a run resumes from a state; otherwise it restarts.

    Args:
        state: The state in a checkpoint.
        choice: What to do if its numbers version differs: one of `CHOICES`.

    Raises:
        CheckpointError: If the version differs and the choice is `refuse`.
    """
    before = numbers_of(state)
    if before != NUMBERS and choice == REFUSE:
        raise CheckpointError(
            f"checkpoint.other_numbers: iteration {state['iteration']} was computed with numbers"
            f" {before}, but this version of the trainer computes numbers {NUMBERS}, so the results"
            f" would mix both. Install the version that started the run, or set {OTHER_NUMBERS}=restart"
            " or =resume in the environment."
        )
    return before == NUMBERS or choice == RESUME
