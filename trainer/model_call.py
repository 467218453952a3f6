"""The model call: calls model and criterion on a batch of any structure."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from torch import Tensor

from trainer.batch_structure import PAIR, TARGETS, Parts, count_samples, parts_of
from trainer.errors import ConfigError, is_out_of_memory
from trainer.group_folders import advise_choice
from trainer.target_errors import first_line, is_in_libraries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import nn

# Of batch norms, which find it at the end of a pass: the last batch may be the only one of one sample.
OF_ONE = "Expected more than 1 value per channel when training"
ABOUT_VALUES = (TypeError, ValueError, LookupError, RuntimeError, AttributeError)


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
        criterion: Any = self.criterion
        inputs: tuple[Any, ...]
        named: Mapping[str, Any]
        if type(batch) in (list, tuple) and len(batch) == PAIR and criterion is not None:
            inputs, named, targets = (batch[0],), {}, batch[1]
        else:
            parts = parts_of(batch) if criterion is not None else _parts_with_targets(batch)
            inputs, named, targets = parts
            if not self._is_checked:
                self._check(parts)
        # Both calls are made here: another function between them would take 1 µs per step.
        try:
            outputs = self.model(*inputs, **named)
        except ABOUT_VALUES as error:
            self._explain_inputs(error, (*inputs, *named.values()), batch)
            raise
        if criterion is None:
            return _loss_in(outputs), outputs, targets
        # A criterion of PyTorch does not search for the logits itself.
        taken = predictions_in(outputs) if self._is_pytorchs else outputs
        try:
            loss = criterion(taken, targets)
        except ABOUT_VALUES as error:
            self._explain_outputs(error, taken, targets)
            raise
        return loss, outputs, targets

    def _explain_inputs(self, error: Exception, inputs: Sequence[object], batch: object) -> None:
        """Explain an error of the model.

        Raises:
            ConfigError: If a library raised it for the inputs, or a norm for a batch of one sample.
        """
        if OF_ONE in str(error) and count_samples(batch) == 1:
            raise ConfigError(
                f"data: a batch has one sample, and a norm of {type(self.model).__name__} cannot be trained with"
                " that. Set dataloader.drop_last: true, or another batch_size."
            ) from error
        if is_about_values(error):
            given = ", ".join(map(_describe, inputs))
            raise ConfigError(
                f"model: {type(self.model).__name__} cannot take {given}: {first_line(error)}. Correct"
                " its arguments, or the data."
            ) from error

    def _explain_outputs(self, error: Exception, outputs: object, targets: object) -> None:
        """Explain an error of the criterion.

        Raises:
            ConfigError: If it cannot take such outputs or targets, or PyTorch's has wrong arguments,
                which it checks only when it is called.
        """
        if is_about_values(error):
            raise ConfigError(
                f"criterion: {_name_of(self.criterion)} cannot compare {_describe(outputs)} of the model"
                f" with {_describe(targets)} of the data: {first_line(error)}. Correct its arguments,"
                " the model, or the data."
            ) from error

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


def check_loss(loss: object, criterion: object, *, is_trained: bool) -> None:
    """Check that a loss is one number and, in the training, that it has a gradient.

    Raises:
        ConfigError: If it is not.
    """
    what = (
        "does not have a gradient. Compute it from the outputs of the model, and let some parameter of it"
        " have requires_grad"
    )
    if not isinstance(loss, Tensor):
        what = f"is a {type(loss).__name__}, not a tensor. Return the mean loss of the batch"
    elif loss.dim():
        what = f"has the shape {[*loss.shape]}, but must be one number. Return the mean"
    elif loss.requires_grad or not is_trained:
        return
    raise ConfigError(f"criterion: the loss of {_name_of(criterion)} {what}.")


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
            f"criterion._target_: missing. {advise_choice('criterion')} Without a"
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
            f"does not have a loss. {advise_choice('criterion')}"
        )
    return found


def is_about_values(error: Exception) -> bool:
    """Return whether a library raised an error for its arguments, without user code in between."""
    is_machines = is_out_of_memory(error) or "CUDA" in str(error)
    return not is_machines and is_in_libraries(error)


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
