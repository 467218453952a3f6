"""Early checks of a training: metric names, metric values, weights, and states that can be saved."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, Final
from unicodedata import category

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from trainer.checkpoints.snapshot import check_loadable
from trainer.errors import CheckpointError, ConfigError, Diverged, shown
from trainer.ways_to_save import saves_its_own_way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

LOSS: Final = "validation/loss"
ACCURACY: Final = "validation/accuracy"
DEEPEST: Final = 100
LOADING: Final = "_load_from_state_dict"  # by which layers load themselves
MEASURED: Final = ("train/loss", "lr", LOSS)


def check_metric(
    metric: str | None, measured: Iterable[str], key: str = "checkpoint.metric"
) -> None:
    """Check that a metric that decides something can exist.

    Args:
        metric: Its name; `None` if the trainer chooses it.
        measured: The accuracy and the configured metrics; one of these may have several values, as
            `name/which`.
        key: The key that names it.

    Raises:
        ConfigError: If it is neither one of the trainer's own nor a configured one.
    """
    own = [*MEASURED, *(f"validation/{name}" for name in measured)]
    if metric is None or metric in own:
        return
    if not any(metric.startswith(f"{name}/") for name in own):
        others = "" if ACCURACY in own else f"; {ACCURACY}, with metrics.accuracy: true"
        raise ConfigError(
            f"{key}: there is no metric {metric!r}. Choose one of {', '.join(own)}{others};"
            " or name one that a callback adds."
        )


def check_finite(mean: float, iteration: int) -> float:
    """Return the mean loss of the training.

    Raises:
        Diverged: If it is not finite.
    """
    if not isfinite(mean):
        raise Diverged(
            f"iteration {iteration}: the training loss is {mean}. Lower optimizer.lr, or check the data."
        )
    return mean


def check_numbers(metrics: dict[Any, Any], own: Iterable[str] = ()) -> None:
    """Check that metrics, which callbacks may change, have names and are numbers.

    Args:
        metrics: The metrics; tensors among them are detached from their gradients.
        own: The metrics of the trainer, which have to be among them.

    Raises:
        ConfigError: If a key is not a string, a value not a number, or a metric of the trainer missing.
    """
    if missing := [key for key in own if key not in metrics]:
        raise ConfigError(
            f"metrics: a callback has removed {missing[0]!r}, which the trainer needs. Only add metrics."
        )
    for key, value in metrics.items():
        if not isinstance(key, str) or not _is_text(key):
            raise ConfigError(
                f"metrics: a callback has added {shown(value, 40)} under the key {shown(key)}, which is not a"
                " name without control characters. Give it one."
            )
        if isinstance(value, Tensor):
            metrics[key] = value = value.detach()  # noqa: PLW2901 - the number is the same
        try:
            float("" if isinstance(value, (str, bytes)) else value)
        except (TypeError, ValueError, RuntimeError, OverflowError):
            raise ConfigError(
                f"metrics: a callback has added {key!r}, and {shown(value, 40)} is not a number. Add a"
                " number."
            ) from None


def _is_text(key: str) -> bool:
    """Return whether a string can be a name in a line: neither blank nor with control characters or halves of others."""
    return key.strip() != "" and not any(category(letter) in {"Cc", "Cs"} for letter in key)


def check_weights(model: nn.Module, iteration: int, loss: float) -> None:
    """Check that the weights are finite, if the loss of the validation is not.

    Raises:
        Diverged: If the weights are not finite: every later iteration would start with them.
    """
    if isfinite(loss):
        return
    for name, parameter in model.named_parameters():
        if not parameter.isfinite().all():
            raise Diverged(
                f"iteration {iteration}: {name} has values that are not finite. Lower optimizer.lr, or"
                " set clip_norm."
            )


def check_savable(state_of: Callable[[], Mapping[str, Any]]) -> None:
    """Check that the states of the modules can be loaded again, without copying tensors.

    Raises:
        CheckpointError: If a value is neither a tensor nor a plain value; the error says where.
    """
    try:
        state = state_of()
    except Exception:  # noqa: BLE001 - user code, which may work only after an iteration
        return
    _check_depth(state, DEEPEST)
    check_loadable(state)


def check_restorable(modules: Mapping[str, object]) -> None:
    """Check that no saved tensor is expanded: PyTorch copies nothing into it.

    Raises:
        CheckpointError: If one is.
    """
    for role, module in modules.items():
        name = _expanded_in(module) if isinstance(module, nn.Module) else None
        if name is not None:
            raise CheckpointError(
                f"{role}.{name} is expanded: several of its values are in one place of memory, so the run could"
                " not be resumed. Register its clone(), or with persistent=False."
            )


def _expanded_in(module: nn.Module) -> str | None:
    """Return the name of a saved tensor that is expanded, in a part that PyTorch loads."""
    if saves_its_own_way(module):
        return None
    try:
        saved = module.state_dict()
    except Exception:  # noqa: BLE001 - as above
        return None
    tensors = (*module.named_parameters(), *module.named_buffers())
    expanded = (name for name, each in tensors if name in saved and _is_expanded(each))
    return next((it for it in expanded if _is_copied_into(module, it)), None)


def _is_copied_into(module: nn.Module, name: str) -> bool:
    """Return whether the part with a tensor loads it as PyTorch does, who copies."""
    part = module.get_submodule(name.rpartition(".")[0])
    return LOADING not in {key for kind in type(part).__mro__[:-2] for key in vars(kind)}


def _is_expanded(tensor: Tensor) -> bool:
    if is_lazy(tensor) or tensor.layout is not torch.strided or not tensor.numel():
        return False
    sides = zip(tensor.shape, tensor.stride(), strict=True)
    return any(size > 1 and not stride for size, stride in sides)


def _check_depth(value: object, left: int) -> None:
    """Check how deeply a state is nested: its digest is computed level by level.

    Raises:
        CheckpointError: If it is nested too deeply, or contains itself.
    """
    if not left:
        raise CheckpointError(
            f"a state is nested in more than {DEEPEST} levels, or contains itself. Keep tensors and"
            " plain values in state_dict()."
        )
    items = value.values() if isinstance(value, dict) else value
    if isinstance(items, (list, tuple)) or isinstance(value, dict):
        for each in items:  # type: ignore[attr-defined]  # one of these
            if isinstance(each, (dict, list, tuple)):
                _check_depth(each, left - 1)
