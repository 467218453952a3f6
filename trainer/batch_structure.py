"""The structure of a batch: its inputs and targets, its number of samples, and its device.

| a batch is | the model is called as | the criterion as |
|---|---|---|
| a pair | `model(inputs)` | `criterion(outputs, targets)` |
| a longer tuple or list | `model(first, second, ...)`, all but the last | `criterion(outputs, last)` |
| a dictionary with `labels`, `label`, `targets`, `target` or `y` | `model(**others)` | `criterion(outputs, labels)` |
| a dictionary, without a criterion | `model(**batch)` | none: the loss is the output's `loss` |
| another object with such an attribute | `model(batch)` | `criterion(outputs, batch.y)` |

Inputs and targets themselves may be of any structure.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from trainer.errors import ConfigError

if TYPE_CHECKING:
    import torch

TARGETS = ("labels", "label", "targets", "target", "y")
PAIR = 2


class Parts(NamedTuple):
    """A batch, split into what the model and the criterion take."""

    inputs: tuple[Any, ...]
    named: Mapping[str, Any]
    targets: Any


def parts_of(batch: Any) -> Parts:  # noqa: ANN401 - a batch is the user's
    """Split a batch into inputs and targets.

    Raises:
        ConfigError: If the structure of the batch does not tell them apart.
    """
    if isinstance(batch, (tuple, list)) and not hasattr(batch, "to"):
        if len(batch) < PAIR:
            raise ConfigError(
                f"data: a batch is a {type(batch).__name__} of {len(batch)}, without a target. "
                "Make each sample an input and a target."
            )
        *inputs, targets = batch
        return Parts(tuple(inputs), {}, targets)
    if isinstance(batch, Mapping):
        key = _target_among([each for each in TARGETS if each in batch], f"keys {_names(batch)}")
        return Parts((), {name: batch[name] for name in batch if name != key}, batch[key])
    if not isinstance(batch, (Tensor, np.ndarray, str, bytes, int, float)):
        found = [each for each in TARGETS if hasattr(batch, each)]
        name = _target_among(found, f"type {type(batch).__name__}")
        return Parts((batch,), {}, getattr(batch, name))
    raise ConfigError(
        f"data: a batch is a {type(batch).__name__}, without a target. Make each sample an input and"
        " a target."
    )


def _target_among(found: list[str], described: str) -> str:
    if len(found) != 1:
        one = (
            f"{' and '.join(found)}, of which only one can be the target" if found else "no target"
        )
        raise ConfigError(
            f"data: a batch has the {described}, and {one}. Call one of them {' or '.join(TARGETS)},"
            " or make each sample an input and a target."
        )
    return found[0]


def _names(batch: Mapping[Any, Any]) -> str:
    return ", ".join(map(str, batch))


def count_samples(batch: Any) -> int:  # noqa: ANN401 - as above
    """Return the number of samples of a batch: the length of its first tensor, targets first.

    Raises:
        ConfigError: If the batch does not have a tensor.
    """
    if type(batch) in (tuple, list) and batch and type(batch[-1]) is Tensor and batch[-1].ndim:
        return batch[-1].size(0)  # of nearly all batches, in a third of the time
    if isinstance(batch, (tuple, list)) and batch and not hasattr(batch, "to"):
        values = [batch[-1], *batch]
    elif isinstance(batch, Mapping):
        values = [*(batch[key] for key in TARGETS if key in batch), batch]
    else:
        values = [*(getattr(batch, name) for name in TARGETS if hasattr(batch, name)), batch]
    if (count := _first_count(values)) is None:
        raise ConfigError("data: a batch has no tensor by which to count its samples. Add one.")
    return count


def _count(value: Any) -> int | None:  # noqa: ANN401 - as above
    if isinstance(value, (Tensor, np.ndarray)):
        return int(value.shape[0]) if value.ndim else None
    if isinstance(value, PackedSequence):
        return int(value.batch_sizes[0])
    if isinstance(value, Mapping):
        return _first_count([*value.values()])
    if isinstance(value, (list, tuple)):
        is_row = bool(value) and all(isinstance(each, (Mapping, str, bytes)) for each in value)
        return len(value) if is_row else _first_count(value)
    if isinstance(graphs := getattr(value, "num_graphs", None), int):
        return graphs
    return _first_count([*getattr(value, "__dict__", {}).values()])


def _first_count(values: list[Any] | tuple[Any, ...]) -> int | None:
    return next((found for found in map(_count, values) if found is not None), None)


def bring(value: Any, device: torch.device) -> Any:  # noqa: ANN401 - as above
    """Return a batch with its tensors, and objects with a method `to`, moved to a device."""
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    if callable(to := getattr(value, "to", None)) and not isinstance(value, type):
        return to(device)
    if isinstance(value, dict):
        brought = copy(value)  # of the same type
        for key, item in value.items():
            brought[key] = bring(item, device)
        return brought
    if isinstance(value, list | tuple):
        items = [bring(item, device) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value
