"""Captured steps: a step that is always the same on a GPU is recorded once, and replayed.

The host needs longer to launch the kernels of a small model, one after the other, than the GPU to compute
them. A CUDA graph launches those of a whole step at once. It repeats kernels, but no line of Python: a step
with anything else in it is computed as before, and a line says why: what changes in a step is looked at in each
that is computed before its shape is recorded. That a replayed step gives the same bits as a computed one is
checked when it has been recorded, after iterations that double in number, and after each that may be the last
one.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, Protocol

from torch.nn.parameter import is_lazy

from trainer.batch_shape import shape_of
from trainer.batch_structure import bring
from trainer.cuda_graphs import graphs_of
from trainer.early_stopping_settings import StoppingSettings
from trainer.errors import is_out_of_memory, listed
from trainer.loading.contents import digest_of_samples
from trainer.ranks import count_ranks
from trainer.reached_values import reached_values
from trainer.recordable_optimizer import (
    is_pytorchs,
    is_recordable,
    place_of,
    places_of_state,
)
from trainer.recorded_step import RecordedStep, rates_of
from trainer.replay_check import as_error, kept_gradients
from trainer.run_files import say
from trainer.seeding import cpu_random_state
from trainer.target_errors import first_line
from trainer.unsaved_state import differ
from trainer.update import closure_parameter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch
    from torch import Tensor

    from trainer.batch_shape import Shape
    from trainer.callbacks.events import Callbacks
    from trainer.cuda_graphs import Graphs
    from trainer.schedule_steps import RateSchedule
    from trainer.settings import TrainingSettings
    from trainer.training_position import Batch
    from trainer.update import Update

# Steps of a shape that are computed before it is recorded: libraries prepare things at the first ones.
COMPUTED_FIRST: Final = 2
MOST_SHAPES: Final = 8
MOST_NAMED: Final = 3
LACK: Final = "the memory of the GPU is too small"


class Capturing(Protocol):
    """The parts of a trainer that captured steps need."""

    callbacks: Callbacks[Any]
    update: Update
    device: torch.device
    schedule: RateSchedule


def choose_captured_steps(trainer: Capturing, settings: TrainingSettings) -> CapturedSteps | None:
    """Return what replays steps; None if they are to be computed call by call, and print why."""
    if settings.cuda_graph == "off" or (graphs := graphs_of(trainer.device)) is None:
        return None
    if reason := _foreseen(trainer, settings):
        _tell(reason)
        return None
    return CapturedSteps(
        trainer.update,
        graphs,
        is_per_update=trainer.schedule.is_per_update,
        is_changing=trainer.callbacks.may_change_modules,
        last=settings.iterations if settings.stopping == StoppingSettings() else 0,
    )


class CapturedSteps:
    """Takes optimizer steps as `Update` does, and replays those that it has recorded.

    Args:
        update: Takes the steps that are computed.
        graphs: Records and replays.
        is_per_update: Whether rates change at each step, so that the step of the optimizer is not recorded, but
            the gradients only.
        is_changing: Whether callbacks may change modules between iterations.
        last: The last iteration; 0 if any may be the last one.
    """

    def __init__(
        self, update: Update, graphs: Graphs, *, is_per_update: bool, is_changing: bool, last: int
    ) -> None:
        self._update = update
        self._graphs = graphs
        self._is_per_update = is_per_update
        self._has_optimizer = False
        self._is_changing = is_changing
        self._last = last
        self._is_over = False
        self._computed: dict[Shape, int] = {}  # how many steps, per shape
        self._recorded: dict[Shape, RecordedStep] = {}
        self._basis: object = None  # what must be as it was when they were recorded ...
        self._state: object = None  # ... what the optimizer keeps, at the end of an iteration ...
        self._values_then: dict[str, object] = {}  # ... and what Python reads
        self._rates: object = None
        self._iterations = 0  # since steps have been recorded

    def begin_iteration(self) -> None:
        """Forget what was recorded, unless the modules and the optimizer are as they were."""
        optimizer = self._update.optimizer
        self._has_optimizer = not self._is_per_update and is_recordable(optimizer)
        basis = (self._basis_now(), self._has_optimizer)
        if basis != self._basis or places_of_state(optimizer) != self._state:
            self._recorded.clear()
            self._computed.clear()  # optimizers prepare things at the first step of a parameter
        elif self._recorded and (self._is_changing or self._find_changed(self._values_then)):
            self._recorded.clear()
        self._basis = basis

    def end_iteration(self, iteration: int) -> None:
        """Check what was replayed, if it is the turn of this iteration.

        Raises:
            ConfigError: If a replayed step gives other bits than a computed one.
        """
        self._state = places_of_state(self._update.optimizer)
        if not self._recorded:
            return
        self._iterations += 1
        is_power_of_2 = self._iterations & (self._iterations - 1) == 0
        with kept_gradients(self._update):
            if is_power_of_2 or self._last in (0, iteration):
                for step in self._recorded.values():
                    self._check(step)

    def take(self, batches: Sequence[Batch]) -> tuple[Tensor, int]:
        """Take one step, as `Update.take`."""
        if self._is_over:
            return self._update.take(batches)
        brought = [bring(batch, self._update.device) for batch in batches]
        shape = shape_of(brought, self._update.device)
        if shape is None:
            self._give_up(
                "a batch has more than tensors, numbers and texts, in lists, tuples and dictionaries"
            )
            return self._update.take(brought)
        if self._has_optimizer and (rates := rates_of(self._update.optimizer)) != self._rates:
            self._recorded.clear()
            self._rates = rates
        step = self._recorded.get(shape) or self._record_if_ready(shape, brought)
        if step is None:
            return self._update.take(brought) if self._is_over else self._compute(shape, brought)
        loss = step.replay_with(brought)
        if not self._has_optimizer:
            self._update.step()
        return loss, step.samples

    def _compute(self, shape: Shape, batches: list[Batch]) -> tuple[Tensor, int]:
        """Take a step call by call, and look at what changes in it."""
        if shape not in self._computed and len(self._computed) == MOST_SHAPES:
            self._give_up(f"batches have more than {MOST_SHAPES} shapes")
        if self._is_over or any(map(is_lazy, self._parameters())):  # those are made in this step
            return self._update.take(batches)
        self._computed[shape] = self._computed.get(shape, 0) + 1
        basis, values = self._basis_now(), self._values()
        random_state = digest_of_samples(cpu_random_state())
        taken = self._update.take(batches)
        if changed := self._find_changed(values):
            named = listed(changed, MOST_NAMED)
            self._give_up(f"{named} changed in a step, which a graph would not repeat")
        elif digest_of_samples(cpu_random_state()) != random_state:
            self._give_up(
                "random numbers of the CPU are drawn in a step, which a graph would not repeat"
            )
        elif self._basis_now() != basis:
            self._give_up(
                "a parameter or buffer is replaced in a step, which a graph would not repeat"
            )
        return taken

    def _record_if_ready(self, shape: Shape, batches: list[Batch]) -> RecordedStep | None:
        """Record a step, if enough of its shape were computed."""
        if self._computed.get(shape, 0) < COMPUTED_FIRST:
            return None
        try:
            step = RecordedStep(
                self._update, self._graphs, batches, has_optimizer=self._has_optimizer
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, steps can be computed call by call
            reason = error.__cause__ if isinstance(error.__cause__, Exception) else error
            what = LACK if is_out_of_memory(reason) else first_line(reason)
            self._give_up(f"recording one failed: {what}")
            return None
        try:
            self._check(step)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            self._give_up(f"checking one failed: {LACK}")
            return None
        self._recorded[shape] = step
        self._values_then = self._values()
        return step

    def _check(self, step: RecordedStep) -> None:
        """Check a recorded step, from a state that is restored.

        Raises:
            ConfigError: If it gives other bits than a computed one, or changes more than can be restored.
        """
        values = self._values()
        step.check()
        if changed := self._find_changed(values):
            raise as_error(f"{changed[0]} changes in a step")

    def _give_up(self, reason: str) -> None:
        self._is_over = True
        self._recorded.clear()
        _tell(reason)

    def _basis_now(self) -> object:
        """Return the modes of the modules, and where their tensors are."""
        modules = [part for each in self._update.modules.values() for part in each.modules()]
        tensors = [
            (place_of(each), each.requires_grad)
            for part in modules
            for each in (*part.parameters(recurse=False), *part.buffers(recurse=False))
        ]
        return [(id(part), part.training) for part in modules], tensors

    def _parameters(self) -> Iterator[Tensor]:
        for each in self._update.modules.values():
            yield from each.parameters()

    def _values(self) -> dict[str, object]:
        """Return the values that the code of the step reaches, but parameters and buffers."""
        modules = {"model": self._update.model, "criterion": self._update.criterion}
        return {
            name: value
            for with_own_ways in (False, True)
            for name, value in reached_values(
                modules, with_own_ways=with_own_ways, most_bytes=sys.maxsize
            ).items()
        }

    def _find_changed(self, before: dict[str, object]) -> list[str]:
        """Return which values are not as they were."""
        now = self._values()
        return [name for name, value in before.items() if differ(now.get(name, value), value)]


def _foreseen(trainer: Capturing, settings: TrainingSettings) -> str | None:
    """Return why no step can be captured, if that is known before the first one."""
    callbacks, optimizer = trainer.callbacks, trainer.update.optimizer
    for reason, holds in (
        (
            "with deterministic: false, a replayed step cannot be compared with a computed one",
            not settings.deterministic,
        ),
        ("compile: true arranges them itself", settings.compile),
        ("float16 decides after each whether it counts", settings.precision == "float16"),
        ("several ranks exchange their gradients", count_ranks() > 1),
        (
            f"{type(optimizer).__name__} computes several losses in each",
            closure_parameter(optimizer) is not None,
        ),
        (
            f"{type(optimizer).__name__} is not one of PyTorch's, and may do anything in its step",
            not is_pytorchs(optimizer),
        ),
        ("cb_on_update makes them", callbacks.cb_on_update),
        ("cb_on_loader_exhausted comes between two", callbacks.cb_on_loader_exhausted),
        (
            "callbacks come before or after each",
            callbacks.cb_on_step_begin or callbacks.cb_on_step_end,
        ),
    ):
        if holds:
            return reason
    return None


def _tell(reason: str) -> None:
    say(f"note: cuda_graph: the steps are not captured, but computed call by call: {reason}.")
