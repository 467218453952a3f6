"""The iteration in progress: saved between its steps, and continued by a resumed run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from trainer.checkpoints.state import Resumable, restore_within, state_of
from trainer.checkpoints.within_iteration import WithinIteration
from trainer.errors import Stopped
from trainer.interval import Schedule
from trainer.numbers_version import NUMBERS, numbers_of
from trainer.run_files import say
from trainer.seeding import restore_rng_state, rng_state

if TYPE_CHECKING:
    from trainer.checkpoints.background_writer import Recorder
    from trainer.checkpoints.reading import Saved
    from trainer.checkpoints.store import Checkpoints
    from trainer.interval import Interval
    from trainer.mean_loss import MeanLoss
    from trainer.unsaved_state import UnsavedState
    from trainer.update import Update


class InProgress(Resumable, Protocol):
    """The parts of a trainer that the iteration in progress needs."""

    checkpoints: Checkpoints
    update: Update
    unsaved: UnsavedState
    stop_requested: bool


class IterationInProgress:
    """Saves the iteration in progress every few steps or seconds, and continues it.

    A resumed run begins the iteration as before, from the checkpoint of the one before it: it calls
    `cb_on_iteration_begin`, which may change modules. Then the saved state replaces that of all modules.

    Args:
        trainer: The trainer.
        every: Steps or seconds between two checkpoints.
    """

    def __init__(self, trainer: InProgress, every: Interval) -> None:
        self._trainer = trainer
        self._schedule = Schedule(every)
        self._store = WithinIteration(trainer.checkpoints.folder, trainer.checkpoints.fingerprint)
        self._saved: Saved | None = None
        self._recorder: Recorder | None = None

    def begin(self, recorder: Recorder) -> None:
        """Find the state within the next iteration, if it was saved."""
        self._recorder = recorder
        saved = self._store.newest(self._trainer.iteration + 1)
        if saved is not None and numbers_of(saved.state["trainer"]) == NUMBERS:
            self._saved = saved
            say(
                f"resuming after step {saved.state['steps']} of iteration {saved.state['iteration']}"
            )

    def resume(self, iteration: int, losses: MeanLoss) -> int:
        """Restore the state within an iteration that has begun; return how many steps it has taken."""
        saved, self._saved = self._saved, None
        if saved is None or saved.state["iteration"] != iteration:
            return 0
        restore_within(self._trainer, saved)
        losses.load_state_dict(saved.state["losses"], self._trainer.device)
        restore_rng_state(saved.state["random"])
        steps: int = saved.state["steps"]
        self._trainer.update.is_checked |= (
            steps > 0
        )  # its parameters may all have been frozen since
        return steps

    def after_step(self, iteration: int, steps: int, losses: MeanLoss) -> None:
        """Save the state after a step, if it is due or the run was asked to stop.

        Raises:
            Stopped: If it was asked to stop; the state is on the disk.
        """
        is_asked = self._trainer.stop_requested
        if self._recorder is None or not (self._schedule.is_due(steps) or is_asked):
            return
        self._trainer.unsaved.tell()
        self._recorder.wait_for_extra()
        snapshot = self._store.take(
            {
                "iteration": iteration,
                "steps": steps,
                "losses": losses.state_dict(),
                "random": rng_state(),
                "trainer": state_of(self._trainer),  # its modules are in training mode
            }
        )
        self._recorder.record_extra(lambda: self._store.write(iteration, snapshot))
        if is_asked:
            self._recorder.wait_for_extra()
            raise Stopped(f"stopped after step {steps} of iteration {iteration}, as asked")

    def end(self) -> None:
        """Remove what is left on the disk: all iterations are saved."""
        self._store.remove()
