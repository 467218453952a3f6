"""The end of an iteration: it is judged, queued to be saved, and shown; then the run may stop."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from trainer import ranks
from trainer.checkpoints.state import Resumable, module_states, saving
from trainer.early_checks import MEASURED, check_numbers
from trainer.errors import Stopped, TrainingPaused
from trainer.run_files import Progress, say
from trainer.state_digest import digest_of

if TYPE_CHECKING:
    from trainer.checkpoints.background_writer import Recorder
    from trainer.state_rehearsal import Rehearsal
    from trainer.unsaved_state import UnsavedState


class Saving(Resumable, Protocol):
    """The parts of a trainer that the end of an iteration needs."""

    unsaved: UnsavedState
    rehearsal: Rehearsal
    stop_requested: bool
    stop_after: float

    def check_unchanged(self) -> None:
        """Check that callbacks have changed nothing in the configuration."""


def end_iteration(
    trainer: Saving, recorder: Recorder, iteration: int, iterations: int, metrics: dict[str, float]
) -> None:
    """Queue an iteration to be saved and then published, and print its metrics.

    Args:
        trainer: The trainer.
        recorder: Saves the iteration on a background thread.
        iteration: The iteration.
        iterations: The number of iterations of the run.
        metrics: The metrics, including those of callbacks.

    Raises:
        ConfigError: If a callback has added something that is not a metric, or changed the configuration.
        CheckpointError: If a state cannot be saved, or could not be loaded again.
    """
    trainer.check_unchanged()
    trainer.generators.tell_late()
    trainer.unsaved.tell()
    trainer.held.tell_unsaved()
    trainer.iteration = iteration
    check_numbers(metrics, own=MEASURED)
    ranks.check_alike(lambda: digest_of(module_states(trainer)), iteration)
    history, stopping = trainer.history, trainer.stopping
    was_comparable = history.is_comparable
    history.add(iteration, metrics, timestamp=time.time_ns() // 1_000_000)
    if was_comparable and not history.is_comparable:
        say(
            f"note: {history.metric} is not a number in iteration {iteration}, which therefore cannot be the"
            " best one (checkpoint.metric)."
        )
    stopping.judge(iteration, metrics, history)
    # Clocks differ, and so may what callbacks ask for.
    stopping.reason = ranks.first_told(stopping.reason)
    is_read = trainer.watch.is_read
    progress = Progress(
        iteration, iterations, history.points, stopping.reason, is_total_read=is_read
    )
    with saving(trainer) as state:
        trainer.rehearsal.tell()
        recorder.record(progress, state, history.best_iteration, is_over=_is_over(trainer))
    shown = "  ".join(f"{key} {float(value):.4g}" for key, value in metrics.items())
    say(f"iteration {iteration} of {iterations}: {shown}")
    if progress.stopped_early:
        say(f"stopped early: {progress.stopped_early}")


def _is_over(trainer: Saving) -> bool:
    """Return whether the run was asked to stop, or to pause after the iteration that it has completed."""
    trainer.stop_requested = ranks.is_any(trainer.stop_requested)
    return trainer.stop_requested or trainer.iteration >= trainer.stop_after


def stop_if_asked(
    trainer: Saving, recorder: Recorder, iterations: int, *, is_over: bool = False
) -> None:
    """Stop between two iterations, if somebody has asked for that.

    Args:
        trainer: The trainer.
        recorder: Saves the last iteration, if it was only published.
        iterations: The number of iterations of the run.
        is_over: Whether no iteration is left, so that the run does not pause.

    Raises:
        Stopped: If the run was asked to stop.
        TrainingPaused: If it has the iterations after which it was asked to pause.
    """
    if _is_over(trainer) and (trainer.stop_requested or not is_over):
        with saving(trainer) as state:  # it was asked a moment ago
            recorder.complete(state)
        after = f"after iteration {trainer.iteration} of {iterations}, as asked"
        raise (
            Stopped(f"stopped {after}")
            if trainer.stop_requested
            else TrainingPaused(f"paused {after}")
        )
