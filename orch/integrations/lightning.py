"""A callback for Lightning, imported as ``lightning`` or as ``pytorch_lightning``.

    callback = OrchCallback()
    trainer = Trainer(callbacks=[callback])
    trainer.fit(model, ckpt_path=callback.ckpt_path)

Outside ``orch`` it does nothing, and ``ckpt_path`` is None.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch

import orch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LIBRARIES = ("lightning.pytorch", "pytorch_lightning")
_NAME = "orch-{:06d}.ckpt"


def _find_callbacks() -> Any:
    """Return the callbacks of the library that is loaded; otherwise, of the first that is installed."""
    loaded = [name for name in _LIBRARIES if name in sys.modules]
    for name in (*loaded, *_LIBRARIES):
        try:
            return import_module(f"{name}.callbacks")
        except ModuleNotFoundError as error:
            if error.name != name.partition(".")[0]:
                raise
    raise ModuleNotFoundError(
        "neither lightning nor pytorch_lightning is installed. Install one of them, or do not import"
        " orch.integrations.lightning."
    )


_callbacks = _find_callbacks()


class OrchCallback(_callbacks.Callback):  # type: ignore[misc,name-defined] # the library is found at run time
    """Records progress, metrics and test results, saves each epoch, and ends the run when asked.

    After each epoch, the logged metrics are recorded at the number of the epoch, counted from 1, and
    the state of the training is saved in the run directory. A run that is asked to stop ends after
    that. ``trainer.test`` records the results of the run.
    """

    def __init__(self) -> None:
        super().__init__()
        self._run = orch.current()
        self._results: dict[str, float] = {}
        self._generators: dict[str, Any] | None = None
        self._resumes = False

    @property
    def ckpt_path(self) -> str | None:
        """The checkpoint to resume from; None in the first attempt, and outside ``orch``."""
        self._resumes = True  # otherwise the training starts from the beginning each time
        folder = self._folder
        found = sorted(folder.glob("orch-*.ckpt")) if folder else []
        return str(found[-1]) if found else None

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Have each epoch saved by a callback that is called after all others."""
        if stage == "fit" and self._run.dir is not None:
            others = [each for each in trainer.callbacks if not isinstance(each, _EachEpoch)]
            trainer.callbacks = [*others, _EachEpoch(self)]

    def state_dict(self) -> dict[str, Any]:
        """Return the states of the random generators, which Lightning does not save."""
        return {"generators": _generator_states()} if self._run.dir is not None else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep the states until the training begins."""
        self._generators = state_dict.get("generators")

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Draw the random numbers of a resumed training from where it was saved."""
        if self._generators is not None:
            _restore_generators(self._generators)
            self._generators = None

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Listen for requests to stop; Lightning's own handler would end the run within an epoch."""
        self._run.listen()

    def on_test_end(self, trainer: Any, pl_module: Any) -> None:
        """Record the test results; those of several tests are recorded together."""
        self._results.update(_numbers(trainer.callback_metrics))
        if trainer.is_global_zero:
            self._run.finish(self._results)

    def end_epoch(self, trainer: Any) -> None:
        """Record an epoch, save it, and end the run if it was asked to stop."""
        epoch = int(trainer.current_epoch) + 1
        self._save(trainer, epoch)
        if trainer.is_global_zero:
            self._run.log(_numbers(trainer.callback_metrics), step=epoch)
            epochs, steps = trainer.max_epochs or -1, trainer.max_steps or -1
            done, of = (epoch, epochs) if epochs > 0 else (int(trainer.global_step), steps)
            if of > 0:
                self._run.progress(done, of, saved=done if self._resumes else 0)
        decide = trainer.strategy.reduce_boolean_decision
        if decide(self._run.stop_requested, all=False):
            self._run.stop()

    @property
    def _folder(self) -> Path | None:
        return self._run.dir / "checkpoints" if self._run.dir else None

    def _save(self, trainer: Any, epoch: int) -> None:
        """Save the state of the training: complete or absent, and then the previous one goes.

        All processes of a distributed training take part. With some strategies it is a folder.
        """
        if self._folder is None:
            return
        path = self._folder / _NAME.format(epoch)
        partial = path.with_name(f"{path.name}.tmp")
        if trainer.is_global_zero:
            self._folder.mkdir(exist_ok=True)
            _remove(partial)
        trainer.strategy.barrier()
        trainer.save_checkpoint(str(partial))
        trainer.strategy.barrier()
        if trainer.is_global_zero:
            _remove(path)
            os.replace(partial, path)  # noqa: PTH105 # the system call is meant
            for other in self._folder.glob("orch-*.ckpt"):
                if other.name < path.name:
                    _remove(other)
        trainer.strategy.barrier()


class _EachEpoch(_callbacks.Checkpoint):  # type: ignore[misc,name-defined] # as above
    """Ends each epoch for an ``OrchCallback``: as a checkpoint callback, it is called last."""

    def __init__(self, owner: OrchCallback) -> None:
        super().__init__()
        self._owner = owner

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Record and save the epoch, validation included."""
        self._owner.end_epoch(trainer)


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {str(key): float(value) for key, value in metrics.items()}


def _generator_states() -> dict[str, Any]:
    """Return the states of the global random generators, in types that any loader accepts."""
    states: dict[str, Any] = {"python": random.getstate(), "torch": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state_all()
    if numpy := sys.modules.get("numpy"):
        kind, keys, *rest = numpy.random.get_state()
        states["numpy"] = (kind, [int(key) for key in keys], *rest)
    return states


def _restore_generators(states: Mapping[str, Any]) -> None:
    version, keys, gauss = states["python"]
    random.setstate((version, tuple(keys), gauss))
    torch.set_rng_state(states["torch"].cpu())
    if "cuda" in states and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([state.cpu() for state in states["cuda"]])
    if "numpy" in states and (numpy := sys.modules.get("numpy")):
        numpy.random.set_state(tuple(states["numpy"]))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
