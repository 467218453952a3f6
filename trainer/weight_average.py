"""The average of the weights over the updates, which evaluations may use."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

from trainer.switched_modules import as_trained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from torch import Tensor, nn

    from trainer.ema_settings import EmaSettings

Given = ParamSpec("Given")
Taken = TypeVar("Taken")
COARSE = (torch.float16, torch.bfloat16)  # an average in them would stand still


class WeightAverage:
    """The exponential moving average of a model's parameters; buffers are those of the model.

    The model itself is not copied: what it keeps besides parameters is the same in an evaluation with
    the average. A parameter that a callback adds takes part from the next update on.

    Args:
        model: The model.
        settings: The settings; without a decay, there is no average.
    """

    def __init__(self, model: nn.Module, settings: EmaSettings) -> None:
        self._model = model
        self._settings = settings
        self._weights: dict[str, Tensor] = {}
        self._has_begun = False
        if settings.decay is not None:
            self._average = get_ema_multi_avg_fn(settings.decay)  # type: ignore[no-untyped-call]  # PyTorch left it untyped

    @property
    def is_wanted(self) -> bool:
        """Whether there is an average."""
        return self._settings.decay is not None

    def begin_iteration(self, iteration: int) -> None:
        """Begin an iteration, with which the average may begin."""
        self._has_begun = iteration >= self._settings.from_iteration

    def after(self, update: Callable[Given, Taken]) -> Callable[Given, Taken]:
        """Return a function that makes an update, and then updates the average, if there is one."""
        if not self.is_wanted:
            return update

        def update_and_average(*arguments: Given.args, **named: Given.kwargs) -> Taken:
            taken = update(*arguments, **named)
            if self._has_begun:
                self._add()
            return taken

        return update_and_average

    @torch.no_grad()
    def _add(self) -> None:
        """Add the weights to the average."""
        averages, currents = [], []
        now = self._parameters()
        for name, parameter in now.items():
            average = self._weights.get(name)
            if average is None or average.shape != parameter.shape:
                self._weights[name] = _fine(parameter).clone()
            else:
                averages.append(average)
                currents.append(_fine(parameter))
        for gone in self._weights.keys() - now.keys():
            del self._weights[gone]
        if averages:
            self._average(averages, currents, None)

    def _parameters(self) -> dict[str, Tensor]:
        return {
            name: parameter.detach()
            for name, parameter in self._model.named_parameters()
            if parameter.is_floating_point() or parameter.is_complex()
        }

    def evaluated(self) -> AbstractContextManager[None]:
        """Return a context in which the model has the averaged weights, if evaluations use them."""
        is_used = self._settings.evaluate and self._weights
        return self._exchanged() if is_used else nullcontext()

    @contextmanager
    def _exchanged(self) -> Iterator[None]:
        with torch.no_grad(), as_trained(self._model):
            now = self._parameters()
            before = {
                name: now[name].clone()
                for name, weights in self._weights.items()
                if name in now and now[name].shape == weights.shape
            }
            for name in before:
                now[name].copy_(self._weights[name])
        try:
            yield
        finally:
            with torch.no_grad(), as_trained(self._model):
                now = self._parameters()  # a model that is switched may have put others in place
                for name, weights in before.items():
                    now[name].copy_(weights)

    def state_dict(self) -> dict[str, Any]:
        """Return the average."""
        return {"weights": {**self._weights}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        now = self._parameters()
        self._weights = {
            name: weights.to(now[name].device if name in now else weights.device, copy=True)
            for name, weights in state["weights"].items()
        }


def _fine(weights: Tensor) -> Tensor:
    return weights.float() if weights.dtype in COARSE else weights
