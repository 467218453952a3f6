"""The beginning of a run: from the first iteration, or from its newest checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from trainer.checkpoints.state import Resumable, restore
from trainer.compute_environment import compare
from trainer.extending import begin_from_another
from trainer.groups import check_trained
from trainer.numbers_version import NUMBERS, may_resume, numbers_of
from trainer.ranks import agree, own_rank
from trainer.run_files import Progress, say
from trainer.seeding import seed_everything

if TYPE_CHECKING:
    from pathlib import Path
    from types import MappingProxyType

    from trainer.callbacks.events import Callbacks
    from trainer.checkpoints.reading import Saved
    from trainer.checkpoints.store import Checkpoints
    from trainer.run_files import Outputs
    from trainer.settings import Config, TrainingSettings
    from trainer.unsaved_state import UnsavedState


class Beginning(Resumable, Protocol):
    """The parts of a trainer that the beginning of a run needs."""

    run_dir: Path
    modules: MappingProxyType[str, object]
    callbacks: Callbacks[Any]
    unsaved: UnsavedState
    checkpoints: Checkpoints
    outputs: Outputs


def find_checkpoint(trainer: Beginning, settings: TrainingSettings) -> tuple[Path, Saved] | None:
    """Return the newest checkpoint and set the trainer's iteration, if the run resumes from one.

    A run that has none takes over that of a run which differs only in the number of iterations.
    """
    found = trainer.checkpoints.newest()
    if found is None and begin_from_another(
        trainer.run_dir, trainer.checkpoints.fingerprint, settings.iterations
    ):
        found = trainer.checkpoints.newest()
    if found is not None and not may_resume(found[1].state, settings.other_numbers):
        trainer.outputs.set_aside(numbers_of(found[1].state))
        trainer.checkpoints.begin_again()
        found = None
    if found is None:
        for line in trainer.outputs.begun_before():
            say(line)
            trainer.environment_changes.append(line)
        trainer.outputs.open(since=0)
    else:
        trainer.iteration = found[1].state["iteration"]
    return found


def find_on_all_ranks(trainer: Beginning, settings: TrainingSettings) -> tuple[Path, Saved] | None:
    """Find the checkpoint on the first rank, which may move files; the others read what it has found."""
    if own_rank() == 0:
        found = find_checkpoint(trainer, settings)
        agree(found is not None)
        return found
    is_found = agree(False)
    found = trainer.checkpoints.newest() if is_found else None
    if found is not None:
        trainer.iteration = found[1].state["iteration"]
    return found


def begin_training(trainer: Beginning, config: Config, seed: int) -> None:
    """Seed all generators, and call the callbacks, which may draw from them, and change modules.

    Args:
        trainer: The trainer.
        config: The run's configuration.
        seed: Its seed.

    Raises:
        ConfigError: If nobody trains a parameter of the criterion or the curriculum.
    """
    seed_everything(seed, "training")
    trainer.generators.begin(config, seed)
    for train_begin in trainer.callbacks.cb_on_train_begin:
        train_begin(trainer)
        trainer.generators.look_again()
    trainer.unsaved.begin()
    trainer.held.begin()
    check_trained(trainer.modules)


def resume(trainer: Beginning, path: Path, saved: Saved, iterations: int) -> None:
    """Restore a checkpoint, and bring the files of its iteration up to date.

    Args:
        trainer: The trainer.
        path: The checkpoint.
        saved: Its content.
        iterations: The number of iterations of the run.
    """
    restore(trainer, saved)
    iteration = trainer.iteration
    say(f"resuming after iteration {iteration}, from {path.relative_to(trainer.run_dir)}")
    if changed := compare(saved.state["environment"], trainer.environment):
        say(f"the environment of this run has changed: {changed}")
        trainer.environment_changes.append(f"after iteration {iteration}: {changed}")
    if (before := numbers_of(saved.state)) != NUMBERS:
        line = f"after iteration {iteration}: numbers was {before}, is {NUMBERS}"
        say(f"this version of the trainer computes other numbers: {line}")
        trainer.environment_changes.append(line)
        trainer.numbers_before.append(before)
    trainer.outputs.open(since=iteration)
    points, reason = trainer.history.points, trainer.stopping.reason
    is_read = trainer.watch.is_read
    trainer.outputs.publish(Progress(iteration, iterations, points, reason, is_total_read=is_read))
