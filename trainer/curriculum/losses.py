"""Losses as scores: the difficulty of each sample for a model that was trained before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from trainer.batch_structure import bring, parts_of
from trainer.checkpoints.reading import read_modules
from trainer.checkpoints.store import BEST
from trainer.config_file import plain_config
from trainer.curriculum.scores import checked_scores, count_samples
from trainer.errors import CheckpointError, ConfigError
from trainer.loading.loaders import make_loader
from trainer.model_call import predictions_in
from trainer.run_files import CHECKPOINTS, CONFIG, RESULTS
from trainer.saved_model import config_beside, rebuild_model
from trainer.seeding import restore_rng_state, rng_state

if TYPE_CHECKING:
    from trainer.trainer import ModularTaskTrainer


class LossScores:
    """Scores that are the loss of a trained model on each training sample.

    Introduced by Hacohen and Weinshall 2019, "On The Power of Curriculum Learning in Training Deep
    Networks", with a model trained on the same data (self-taught) or a larger one (transfer).

    Args:
        path: The directory of a run that is done, for its best weights, or a checkpoint. The model
            is that of the `config.yaml` of that run; without one, that of this run.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def score(self, trainer: ModularTaskTrainer) -> Tensor:
        """Return the loss of the criterion on each sample (samples,), in evaluation mode.

        The state of the random generators is unchanged.

        Raises:
            TrainerError: If the run or checkpoint does not exist, the run is not done, or its model
                does not fit the samples or their targets.
        """
        state = rng_state()
        try:
            losses = self._losses(trainer)
        finally:
            restore_rng_state(state)
        return checked_scores(losses, count_samples(trainer), self.path)

    def _losses(self, trainer: ModularTaskTrainer) -> Tensor:
        checkpoint = checkpoint_of(Path(self.path))
        config = config_beside(checkpoint)
        if config is None:
            config = plain_config(trainer.cfg)
        saved = read_modules(checkpoint)
        try:
            model = rebuild_model(config, saved, trainer.device, with_average=False)
        except CheckpointError as error:
            raise ConfigError(
                f"curriculum.scores: the model of {self.path} cannot score the samples: {error}. Name a"
                " run with a model for this data set."
            ) from error
        try:
            return self._sample_by_sample(model, trainer)
        except (RuntimeError, IndexError) as error:
            reason = str(error).strip().splitlines()[-1].strip()
            raise ConfigError(
                f"curriculum.scores: the model of {self.path} cannot score the samples: {reason}. "
                "Name a run with a model for this data set."
            ) from error

    @torch.no_grad()
    def _sample_by_sample(self, model: nn.Module, trainer: ModularTaskTrainer) -> Tensor:
        """Return the loss of each sample, one by one: criteria return only the mean of a batch."""
        losses = []
        criterion = trainer.criterion
        for batch in make_loader(trainer.data.train, "scores", trainer.settings):
            parts = bring(parts_of(batch), trainer.device)
            inputs, targets = parts.inputs, parts.targets
            if criterion is None or not isinstance(targets, Tensor):
                raise ConfigError(
                    "curriculum.scores: the loss of a sample needs a criterion and a target that is a"
                    " tensor. Read the scores from a file instead."
                )
            with trainer.autocast:
                outputs = predictions_in(model(*inputs, **parts.named))
                pairs = zip(torch.split(outputs, 1), torch.split(targets, 1), strict=True)
                losses += [criterion(*pair) for pair in pairs]
        return torch.stack(losses).double().cpu()


def checkpoint_of(path: Path) -> Path:
    """Return a checkpoint: the path itself, or the best one of the run whose directory it is.

    Raises:
        ConfigError: If there is none, or the run is not done.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        raise ConfigError(f"curriculum.scores: {path.absolute()} does not exist. Correct path.")
    if not (path / CONFIG).exists():
        raise ConfigError(f"curriculum.scores: {path} is not a run directory. Correct path.")
    if not (path / RESULTS).exists():
        raise ConfigError(
            f"curriculum.scores: the run {path} is not done. Run it to its end, or name a checkpoint."
        )
    best = path / CHECKPOINTS / BEST
    if not best.exists():
        raise ConfigError(f"curriculum.scores: {best} is missing. Run {path.name} again.")
    return best
