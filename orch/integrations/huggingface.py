"""A callback for the trainer of Hugging Face Transformers.

    callback = OrchCallback()
    trainer = Trainer(model, args, callbacks=[callback], ...)
    trainer.train(resume_from_checkpoint=callback.checkpoint)

Outside ``orch`` it does nothing, and ``checkpoint`` is None.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback  # type: ignore[import-not-found]

import orch

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
_STATE = "trainer_state.json"  # written last
_KEPT = 2


class OrchCallback(TrainerCallback):  # type: ignore[misc] # the library need not be installed
    """Records progress, metrics and results, saves each epoch, and ends the run when asked.

    What the trainer logs is recorded at the number of the step. Checkpoints are written into the run
    directory; an ``output_dir`` elsewhere is replaced by ``checkpoints`` there, since runs would
    overwrite each other's. A run that is asked to stop saves a checkpoint after the present step, and
    ends. The last evaluation, and predictions, are the results of the run.
    """

    def __init__(self) -> None:
        self._run = orch.current()
        self._folder = self._run.dir / "checkpoints" if self._run.dir else None
        self._saved = 0
        self._is_asked = self._is_trained = self._resumes = False
        self._results: dict[str, float] = {}

    @property
    def checkpoint(self) -> str | None:
        """The checkpoint to resume from; None in the first attempt, and outside ``orch``."""
        self._resumes = True  # otherwise the training starts from the beginning each time
        folders = self._folder.glob("checkpoint-*") if self._folder else ()
        found = {int(match[1]): path for path in folders if (match := _match(path))}
        return str(found[max(found)]) if found else None

    def on_init_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Move the checkpoints into the run directory, and listen for requests to stop."""
        if self._run.dir is None or self._folder is None:
            return
        given = Path(args.output_dir).absolute()
        if self._run.dir in (given, *given.parents):
            self._folder = given
        else:
            args.output_dir = str(self._folder)
        if str(getattr(args.save_strategy, "value", args.save_strategy)) == "no":
            args.save_total_limit = args.save_total_limit or _KEPT
        self._run.listen()

    def on_log(
        self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any
    ) -> None:
        """Record what the trainer logs."""
        if state.is_world_process_zero:
            self._run.log(_numbers(logs or {}), step=state.global_step)
            self._report(state)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Have the state saved if the run was asked to stop."""
        if self._run.dir is not None and _any_process(self._run.stop_requested, args):
            self._is_asked = control.should_save = True

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Have each epoch saved."""
        if self._run.dir is not None:
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Record what is saved, and end a run that was asked to stop."""
        self._saved = state.global_step
        if state.is_world_process_zero:
            self._report(state)
        if self._is_asked:
            self._run.stop()

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Record the last evaluation as the results of the run."""
        self._is_trained = True
        self._finish(state)

    def on_evaluate(
        self,
        args: Any,
        state: Any,
        control: Any,
        metrics: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Keep the metrics of the last evaluation."""
        self._results.update(_numbers(metrics or {}))
        self._finish(state)

    def on_predict(
        self, args: Any, state: Any, control: Any, metrics: Mapping[str, Any], **_: Any
    ) -> None:
        """Record the metrics of a prediction."""
        self._results.update(_numbers(metrics))
        self._finish(state)

    def _finish(self, state: Any) -> None:
        if self._is_trained and self._results and state.is_world_process_zero:
            self._run.finish(self._results)

    def _report(self, state: Any) -> None:
        if state.max_steps > 0:
            saved = self._saved if self._resumes else 0
            self._run.progress(state.global_step, state.max_steps, saved=saved)


def _match(path: Path) -> re.Match[str] | None:
    """Return the match of a checkpoint's name; None if it is not complete."""
    try:
        json.loads((path / _STATE).read_bytes())
    except (OSError, ValueError):
        return None
    return _CHECKPOINT.fullmatch(path.name)


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {key: float(value) for key, value in metrics.items() if isinstance(value, (int, float))}


def _any_process(flag: bool, args: Any) -> bool:  # noqa: FBT001 # the value itself
    """Return whether any process of a distributed training was asked: all of them save together."""
    if args.world_size <= 1:
        return flag
    import torch  # noqa: PLC0415 # it is loaded already

    votes = torch.tensor(int(flag), device=args.device)
    torch.distributed.all_reduce(votes)
    return bool(votes.item())
