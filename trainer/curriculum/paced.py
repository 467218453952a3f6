"""The paced curriculum: starts with the easiest or hardest samples, and adds the others over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import torch

from trainer.curriculum.pacing import PACINGS, samples_at
from trainer.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from trainer.trainer import ModularTaskTrainer

FIRST = ("easy", "hard")


class Scores(Protocol):
    """The scores of the training samples: how hard each of them is."""

    def score(self, trainer: ModularTaskTrainer) -> Tensor:
        """Return a finite number for each training sample (samples,); the harder, the greater."""


class PacedCurriculum:
    """A curriculum that trains with the easiest samples first, or the hardest, and adds the others.

    Curriculum learning was introduced by Bengio et al. 2009, "Curriculum Learning"; scoring and
    pacing as its two parts by Hacohen and Weinshall 2019, "On The Power of Curriculum Learning in
    Training Deep Networks"; the choice of both, and hard samples first, follow Wu et al. 2021, "When
    Do Curricula Work?". An epoch uses the samples that are allowed in the iteration in which it
    starts, in the order of the whole epoch. Scores are computed once, and saved in checkpoints.

    Args:
        scores: The scores of the training samples.
        pacing: How fast samples are added: `linear`, `quadratic`, `root`, `exponential`,
            `logarithmic`, or all at once after a `step`.
        initial: The share of the samples allowed in the first iteration, above 0 and up to 1.
        full_at: The iteration from which on all samples are allowed.
        first: `easy` or `hard`.
    """

    def __init__(
        self,
        scores: Scores,
        pacing: str = "linear",
        initial: float = 0.2,
        full_at: int = 10,
        first: str = "easy",
    ) -> None:
        if not callable(getattr(scores, "score", None)):
            raise ConfigError(
                f"curriculum.scores: {scores!r:.60} does not have score(). Give it a _target_ of "
                "trainer.curriculum, or your own."
            )
        for key, value, choices in (("pacing", pacing, PACINGS), ("first", first, FIRST)):
            if value not in choices:
                raise ConfigError(
                    f"curriculum.{key}: {value!r} is not one of {', '.join(choices)}. Correct it."
                )
        if (
            isinstance(initial, bool)
            or not isinstance(initial, (int, float))
            or not 0 < initial <= 1
        ):
            raise ConfigError(
                f"curriculum.initial: {initial!r} is not a share above 0 and up to 1. Correct it."
            )
        if type(full_at) is not int or full_at < 1:
            raise ConfigError(
                f"curriculum.full_at: {full_at!r} is not an iteration. Set 1 or more."
            )
        self.scores = scores
        self.pacing = pacing
        self.initial = initial
        self.full_at = full_at
        self.first = first
        self.order: Tensor | None = None
        self.allowed = 0

    def cb_on_iteration_begin(self, trainer: ModularTaskTrainer, iteration: int) -> None:
        """Allow the samples of this iteration."""
        # Not at the beginning of the training: a resumed run has its order in the checkpoint, and
        # does not need the scores again.
        if self.order is None:
            scores = self.scores.score(trainer)
            self.order = torch.argsort(scores, stable=True, descending=self.first == "hard")
        self.allowed = samples_at(
            iteration,
            len(self.order),
            pacing=self.pacing,
            initial=self.initial,
            full_at=self.full_at,
        )
        trainer.batches.restrict(self.order[: self.allowed])

    def cb_on_iteration_end(
        self,
        trainer: ModularTaskTrainer,  # noqa: ARG002 - a parameter of the event
        iteration: int,  # noqa: ARG002
        metrics: dict[str, float],
    ) -> None:
        """Report how many samples are allowed."""
        metrics["curriculum/samples"] = self.allowed

    def state_dict(self) -> dict[str, Any]:
        """Return the order of the samples."""
        return {"order": self.order}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the order that `state_dict` returned."""
        self.order = state["order"]
