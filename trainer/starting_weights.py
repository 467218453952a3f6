"""The weights that a run begins with, if its configuration names a run or a file that has them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from torch import Tensor
from torch.nn.parameter import is_lazy

from trainer.best_and_last import best_checkpoint
from trainer.checkpoints.reading import read_any_file, read_modules
from trainer.config_file import plain_config, read_config
from trainer.durable_files import read_plain
from trainer.ema_settings import read_ema
from trainer.errors import CheckpointError, ConfigError
from trainer.run_files import CONFIG, RESULTS, say
from trainer.settings import read_group
from trainer.switched_modules import as_trained, load_as_saved, may_change, modes_of, switch_to

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from torch import nn

    from trainer.init_settings import InitSettings

Weights = Mapping[str, object]
MOST_NAMES: Final = 3
WRAPPED: Final = "module."  # by DataParallel, DistributedDataParallel, AveragedModel
COMPILED: Final = "_orig_mod."  # by torch.compile, also of a part
SAFETENSORS: Final = ".safetensors"


class Fit(NamedTuple):
    """The weights that fit a model, by name, and the names of those that do not.

    ``apart`` counts those without the prefix that was asked for.
    """

    weights: dict[str, Tensor]
    missing: Sequence[str]
    unexpected: Sequence[str]
    other: Sequence[str]
    apart: int = 0

    def describe(self) -> str:
        """Return how many weights fit, and which do not, in one clause."""
        total = len(self.weights) + len(self.missing) + len(self.other)
        misfits = [
            f"{len(names)} {what}: {_first(names)}"
            for what, names in (
                ("missing there", self.missing),
                ("with another shape or type", self.other),
                ("unexpected", self.unexpected),
            )
            if names
        ]
        misfits += [f"{self.apart} without the prefix"] if self.apart else []
        return "; ".join([f"{len(self.weights)} of {total} parameters and buffers", *misfits])


def begin_with_weights(model: nn.Module, settings: InitSettings) -> None:
    """Give a model the weights that the configuration names, and say what did not fit.

    Only parameters and buffers of the same name and shape are taken; what wraps a model, such as DDP,
    adds to the names, which is removed.

    Raises:
        TrainerError: If there are none, they are damaged, have changed or are not finite, or none of them
            fits.
    """
    if settings.path is None:
        return
    source = Path(settings.path)
    _check_content(source, settings.digest)
    weights, averaged, is_merged = _read_run(source) if source.is_dir() else _read_file(source)
    fit = fit_weights(model, weights, settings.prefix)
    if not fit.weights:
        raise ConfigError(
            f"init_from: nothing in {source} fits the model: {fit.describe()}. Name another, or change"
            " the model."
        )
    modes = modes_of(model)
    is_old = is_merged and not fit.missing and may_change(model)
    load = partial(model.load_state_dict, fit.weights, strict=False)
    load_as_saved(model, load, None if is_old else modes)
    switch_to(model, modes)
    # After all others: a parameter with several names is averaged under the first of them.
    average = fit_weights(model, averaged, settings.prefix).weights
    with as_trained(model):
        model.load_state_dict(average, strict=False)
    _check_finite(model, {*fit.weights, *average}, source)
    say(f"begins with the weights of {source}: {fit.describe()}")


def _check_finite(model: nn.Module, taken: Container[str], source: Path) -> None:
    """Check the parameters that were taken, and are trained: with others, every loss would be NaN.

    Minus infinity may be meant, as in a mask before a softmax.

    Raises:
        ConfigError: If they have NaN or infinity.
    """
    bad = [
        name
        for name, parameter in model.named_parameters()
        if name in taken and parameter.requires_grad and _is_broken(parameter)
    ]
    if bad:
        raise ConfigError(
            f"init_from: {source} has values that are not finite, in {_first(bad)}. Name another file, or a run"
            " that has not diverged."
        )


def _is_broken(parameter: Tensor) -> bool:
    values = parameter.detach()
    is_bad = (
        values.isnan() | values.isinf() if values.is_complex() else values.isnan() | (values == inf)
    )
    return bool(is_bad.any())


def fit_weights(model: nn.Module, weights: Weights, prefix: str = "") -> Fit:
    """Return which weights a model has under the same names, and with the same shapes.

    Args:
        model: The model.
        weights: The weights, by name.
        prefix: What the names begin with that are meant; the model has them without it.

    Raises:
        ConfigError: If a layer of the model has no shape yet, which could take any.
    """
    own = {name: value for name, value in model.state_dict().items() if isinstance(value, Tensor)}
    tensors = {name: value for name, value in weights.items() if isinstance(value, Tensor)}
    named = {name: _find_name(name, prefix, own) for name in tensors}
    given = {name: tensors[there] for there, name in named.items() if name not in (None, there)}
    given |= {name: value for name, value in tensors.items() if named[name] == name}
    both = [name for name in own if name in given]
    if lazy := next((name for name in both if is_lazy(own[name])), None):
        raise ConfigError(
            f"init_from: {lazy} has no shape before the first step. Give the layer its sizes, or call the"
            " model once in cb_on_train_begin."
        )
    fits = {name: given[name] for name in both if _kind(own[name]) == _kind(given[name])}
    return Fit(
        fits,
        [name for name in own if name not in given],
        [name for name in given if name not in own],
        [name for name in both if name not in fits],
        sum(name is None for name in named.values()),
    )


def _find_name(name: str, prefix: str, own: Container[str]) -> str | None:
    """Return the name of a weight in the model, without the prefix and what wrappers add to it.

    None if it does not have the prefix. A name that the model has is left as it is.
    """
    outside = [name, *_unwrap(name)]
    inside = next((it.removeprefix(prefix) for it in outside if it.startswith(prefix)), None)
    if inside is None:
        return None
    forms = [inside, *_unwrap(inside)]
    return next((form for form in forms if form in own), forms[-1])


def _unwrap(name: str) -> list[str]:
    """Return the forms that a name may have without what wrappers add, the longest first."""
    forms = [name.replace(COMPILED, "")]
    while forms[-1].startswith(WRAPPED):
        forms.append(forms[-1].removeprefix(WRAPPED))
    return forms


def content_digest(source: Path) -> str:
    """Return what the content of a run or a file is known by; `orch` computes the same.

    Raises:
        ConfigError: If there is no such file, or the run is not done.
    """
    if not source.is_dir():
        try:
            with source.open("rb") as file:
                return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
        except OSError as error:
            raise ConfigError(f"init_from: {source}: {error.strerror}. Correct the path.") from None
    try:
        results = json.loads(read_plain(source / RESULTS))
        return f"run:{results['digest']}:{results['best']['iteration']}"
    except FileNotFoundError:
        is_run = (source / CONFIG).is_file()
        what = "the run is not done" if is_run else "it is not a run directory"
        advice = "Run it to its end, or name a checkpoint" if is_run else "Correct the path"
        raise ConfigError(f"init_from: {source}: {what}. {advice}.") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(
            f"init_from: {source}: {RESULTS} is not that of the trainer. Name a file with weights."
        ) from None


def _check_content(source: Path, digest: str | None) -> None:
    if digest is None and not source.is_dir() and source.exists():
        return  # it is about to be read, and there is nothing to compare it with
    found = content_digest(source)
    if digest is not None and found != digest:
        raise ConfigError(
            f"init_from: {source} has changed: it is {found}, and init_from_digest is {digest}. Restore"
            " it, or start another run."
        )


def _read_run(run_dir: Path) -> tuple[Weights, Weights, bool]:
    """Return the best weights of a run that is done, and their average if its evaluations used it.

    And whether they are those of evaluations, if the model changes them there: an earlier version saved it so.
    """
    try:
        checkpoint = best_checkpoint(run_dir, "Restore it, or name a file with weights.")
    except CheckpointError as error:
        raise CheckpointError(f"init_from: {error}") from None
    saved = read_modules(checkpoint)
    averaged = saved.states.get("ema", {}).get("weights", {})
    if averaged:
        config = plain_config(read_config(run_dir / CONFIG))
        averaged = averaged if read_ema(read_group(config, "ema")).evaluate else {}
    return saved.states["model"], averaged, saved.modes is None


def _read_file(path: Path) -> tuple[Weights, Weights, bool]:
    """Return the weights in a file, as `_read_run`: a checkpoint, or what `torch.save` or safetensors wrote.

    Raises:
        CheckpointError: If it is damaged, or has something else in it than weights and plain values.
        ConfigError: If safetensors is needed, and not installed.
    """
    if path.suffix == SAFETENSORS:
        return _read_safetensors(path), {}, False
    found = read_any_file(path)
    match found:
        case {"state": {"modules": {"model": Mapping() as weights}, **others}}:
            return weights, {}, "modes" not in others
        case {"state_dict": Mapping() as weights} | {"model": Mapping() as weights}:
            return weights, {}, False
        case _:
            return found, {}, False


def _read_safetensors(path: Path) -> Weights:
    try:
        from safetensors import SafetensorError  # noqa: PLC0415 # few runs need it
        from safetensors.torch import load_file  # noqa: PLC0415 # as above
    except ImportError:
        raise ConfigError(
            f"init_from: {path}: safetensors is not installed. Install it: pip install safetensors."
        ) from None
    try:
        found: Weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path}: it cannot be used: {error}. Name a file with a state_dict."
        ) from None
    return found


def _kind(tensor: Tensor) -> tuple[object, ...]:
    return tuple(tensor.shape), tensor.is_floating_point(), tensor.is_complex(), tensor.layout


def _first(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > MOST_NAMES else ""
    return ", ".join(map(str, names[:MOST_NAMES])) + more
