"""The model call: calls model and criterion on a batch of any structure."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from torch import Tensor

from trainer.batch_structure import PAIR, TARGETS, Parts, parts_of
from trainer.errors import ConfigError, is_out_of_memory
from trainer.target_errors import is_in_libraries

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

ABOUT_VALUES = (TypeError, ValueError, LookupError, RuntimeError)


class ModelCall:
    """Calls a model and a criterion as the structure of a batch requires, see `trainer.batch_structure`.

    Args:
        model: Maps inputs to outputs.
        criterion: Maps outputs and targets to the batch's mean loss; `None` if the model computes it.
    """

    def __init__(self, model: nn.Module, criterion: Callable[..., Tensor] | None) -> None:
        self.model = model
        self.criterion = criterion
        self._is_pytorchs = _module_of(criterion).startswith("torch.nn.")
        self._is_checked = False

    def __call__(self, batch: Any) -> tuple[Tensor, Any, Any]:  # noqa: ANN401 - it is the user's
        """Return the loss of a batch, the outputs of the model, and the targets.

        Raises:
            ConfigError: If model and criterion cannot be called with the structure of the batch.
        """
        if type(batch) in (list, tuple) and len(batch) == PAIR and self.criterion is not None:
            samples, targets = batch
            outputs = self._outputs(samples)
            return self._loss(outputs, targets), outputs, targets
        parts = parts_of(batch) if self.criterion is not None else _parts_with_targets(batch)
        if not self._is_checked:
            self._check(parts)
        outputs = self._outputs(*parts.inputs, **parts.named)
        if self.criterion is None:
            return _loss_in(outputs), outputs, parts.targets
        return self._loss(outputs, parts.targets), outputs, parts.targets

    def _outputs(self, *inputs: Any, **named: Any) -> Any:  # noqa: ANN401 - they are the user's
        """Return the outputs of the model.

        Raises:
            ConfigError: If a library model raises an error for the inputs.
        """
        try:
            return self.model(*inputs, **named)
        except ABOUT_VALUES as error:
            if not is_about_values(error):
                raise
            given = ", ".join(map(_describe, (*inputs, *named.values())))
            raise ConfigError(
                f"model: {type(self.model).__name__} cannot take {given}: {_first_line(error)}. Correct"
                " its arguments, or the data."
            ) from error

    def _loss(self, outputs: Any, targets: Any) -> Tensor:  # noqa: ANN401 - they are the user's
        """Return the loss.

        Raises:
            ConfigError: If a criterion of PyTorch cannot take such outputs or targets, or has wrong
                arguments, which it checks only here.
        """
        criterion: Any = self.criterion
        if not self._is_pytorchs:
            loss: Tensor = criterion(outputs, targets)
            return loss
        taken = self._taken(outputs)
        try:
            loss = criterion(taken, targets)
        except ABOUT_VALUES as error:
            if not is_about_values(error):
                raise
            raise ConfigError(
                f"criterion: {_name_of(criterion)} cannot compare {_describe(taken)} of the model with"
                f" {_describe(targets)} of the data: {_first_line(error)}. Correct its arguments, the"
                " model, or the data."
            ) from error
        return loss

    def _taken(self, outputs: Any) -> Any:  # noqa: ANN401 - they are the user's
        """Return the logits for a criterion of PyTorch, which does not search for them itself."""
        if not isinstance(outputs, Tensor):
            return predictions_in(outputs)
        return outputs

    def _check(self, parts: Parts) -> None:
        """Check, once, that the model takes such inputs.

        Raises:
            ConfigError: If it does not.
        """
        self._is_checked = True
        forward = self.model.forward
        try:
            signature = inspect.signature(forward)
            signature.bind(*parts.inputs, **parts.named)
        except ValueError:  # some have none
            return
        except TypeError as error:
            given = ", ".join(map(str, parts.named)) or f"{len(parts.inputs)} inputs"
            takes = ", ".join(signature.parameters)
            raise ConfigError(
                f"model: {type(self.model).__name__}.forward takes ({takes}), but a batch has {given}"
                f": {error}. Change forward, or the samples."
            ) from None


def predictions_in(outputs: Any) -> Any:  # noqa: ANN401 - as above
    """Return the logits of an output that has them, or else the output."""
    if isinstance(outputs, Tensor):
        return outputs
    found = outputs.get("logits") if isinstance(outputs, Mapping) else None
    logits = getattr(outputs, "logits", found)
    return logits if isinstance(logits, Tensor) else outputs


def _parts_with_targets(batch: Any) -> Parts:  # noqa: ANN401 - as above
    """Return the parts of a batch whose loss the model computes: it gets the targets, too.

    Raises:
        ConfigError: If the batch is not a dictionary.
    """
    if not isinstance(batch, Mapping):
        raise ConfigError(
            "criterion._target_: missing. Choose one of conf/criterion/, or name a class. Without a"
            " criterion, batches have to be dictionaries, from which the model, as those of Hugging"
            " Face, computes the loss."
        )
    targets = next((batch[key] for key in TARGETS if key in batch), None)
    return Parts((), {**batch}, targets)


def _loss_in(outputs: Any) -> Tensor:  # noqa: ANN401 - as above
    found = outputs.get("loss") if isinstance(outputs, Mapping) else getattr(outputs, "loss", None)
    if not isinstance(found, Tensor):
        raise ConfigError(
            f"criterion._target_: missing, and the output of the model, a {type(outputs).__name__}, "
            "does not have a loss. Choose one of conf/criterion/, or name a class."
        )
    return found


def is_about_values(error: Exception) -> bool:
    """Return whether a library raised an error for its arguments, without user code in between."""
    is_machines = is_out_of_memory(error) or "CUDA" in str(error)
    return not is_machines and is_in_libraries(error)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).partition("\n")[0].rstrip(".")


def _name_of(criterion: Any) -> str:  # noqa: ANN401 - as above
    while isinstance(criterion, partial):
        criterion = criterion.func
    return str(getattr(criterion, "__name__", type(criterion).__name__))


def _describe(value: object) -> str:
    """Return a description of an argument, as a phrase."""
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {[*value.shape]}"
    return f"a {type(value).__name__}"


def _module_of(criterion: object) -> str:
    while isinstance(criterion, partial):
        criterion = criterion.func
    named = criterion if inspect.isfunction(criterion) else type(criterion)
    return str(getattr(named, "__module__", ""))
