"""The weights that a run begins with, if its configuration names a run or a file that has them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from torch import Tensor

from trainer.checkpoints.reading import read_any_file, read_module_states
from trainer.config_file import plain_config, read_config
from trainer.durable_files import read_plain
from trainer.ema_settings import read_ema
from trainer.errors import ConfigError
from trainer.finished_checkpoints import best_checkpoint
from trainer.run_files import CONFIG, RESULTS, say
from trainer.settings import read_group

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from trainer.init_settings import InitSettings

Weights = Mapping[str, object]
MOST_NAMES: Final = 3


class Fit(NamedTuple):
    """The weights that fit a model, by name, and the names of those that do not."""

    weights: dict[str, Tensor]
    missing: Sequence[str]
    unexpected: Sequence[str]
    other: Sequence[str]

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
        return "; ".join([f"{len(self.weights)} of {total} parameters and buffers", *misfits])


def begin_with_weights(model: nn.Module, settings: InitSettings) -> None:
    """Give a model the weights that the configuration names, and say what did not fit.

    Only parameters and buffers of the same name and shape are taken.

    Raises:
        TrainerError: If there are none, they are damaged or have changed, or none of them fits.
    """
    if settings.path is None:
        return
    source = Path(settings.path)
    _check_content(source, settings.digest)
    weights, averaged = _read_run(source) if source.is_dir() else (_read_file(source), {})
    fit = fit_weights(model, weights)
    if not fit.weights:
        raise ConfigError(
            f"init_from: nothing in {source} fits the model: {fit.describe()}. Name another, or change"
            " the model."
        )
    model.load_state_dict(fit.weights, strict=False)
    # After all others: a parameter with several names is averaged under the first of them.
    model.load_state_dict(fit_weights(model, averaged).weights, strict=False)
    say(f"begins with the weights of {source}: {fit.describe()}")


def fit_weights(model: nn.Module, weights: Weights) -> Fit:
    """Return which weights a model has under the same names, and with the same shapes."""
    own = {name: value for name, value in model.state_dict().items() if isinstance(value, Tensor)}
    given = {name: value for name, value in weights.items() if isinstance(value, Tensor)}
    both = [name for name in own if name in given]
    fits = {name: given[name] for name in both if _kind(own[name]) == _kind(given[name])}
    return Fit(
        fits,
        [name for name in own if name not in given],
        [name for name in given if name not in own],
        [name for name in both if name not in fits],
    )


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


def _read_run(run_dir: Path) -> tuple[Weights, Weights]:
    """Return the best weights of a run that is done, and their average if its evaluations used it."""
    states = read_module_states(best_checkpoint(run_dir))
    averaged = states.get("ema", {}).get("weights", {})
    if averaged:
        config = plain_config(read_config(run_dir / CONFIG))
        averaged = averaged if read_ema(read_group(config, "ema")).evaluate else {}
    return states["model"], averaged


def _read_file(path: Path) -> Weights:
    """Return the weights in a file: a checkpoint of a run, or what `torch.save` wrote.

    Raises:
        CheckpointError: If it is damaged, or has something else in it than weights and plain values.
    """
    found = read_any_file(path)
    match found:
        case {"state": {"modules": {"model": Mapping() as weights}}}:
            return weights
        case {"state_dict": Mapping() as weights} | {"model": Mapping() as weights}:
            return weights
        case _:
            return found


def _kind(tensor: Tensor) -> tuple[object, ...]:
    return tuple(tensor.shape), tensor.is_floating_point(), tensor.is_complex(), tensor.layout


def _first(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > MOST_NAMES else ""
    return ", ".join(map(str, names[:MOST_NAMES])) + more
