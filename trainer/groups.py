"""Parameter groups: which parameters are trained, and with which options of the optimizer."""

from __future__ import annotations

import re
from difflib import get_close_matches
from math import isfinite, isnan
from typing import TYPE_CHECKING, Any, Final

from torch import nn
from torch.optim import Optimizer

from trainer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from torch.nn import Parameter

KEY: Final = "optimizer.groups"
MATCH, KINDS = SELECTORS = ("match", "kinds")
# Classes of users may derive from the base class of the batch norms; it is private, and may be gone.
_BASE = getattr(nn.modules.batchnorm, "_NormBase", nn.BatchNorm1d)
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
_INSTANCE_NORMS = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
NORMS = (_BASE, *_BATCH_NORMS, *_INSTANCE_NORMS, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
NORM, BIAS, EMBEDDING = ALL_KINDS = ("norm", "bias", "embedding")


def trainable(criterion: object, model: nn.Module) -> dict[str, Parameter]:
    """Return the parameters of a criterion that are trained together with those of the model.

    Parameters without gradients, those that the model also has, and those that the criterion's own
    optimizer already trains are excluded.
    """
    if not isinstance(criterion, nn.Module):
        return {}
    known = {id(each) for each in model.parameters()} | trained_by(optimizers_in(criterion))
    return {
        f"criterion.{name}": parameter
        for name, parameter in criterion.named_parameters()
        if parameter.requires_grad and id(parameter) not in known
    }


def left_to(module: object, model: nn.Module) -> set[int]:
    """Return the identities of the model's parameters that it trains by optimizers of its own.

    They are excluded from the optimizer of the config if the model makes the updates itself.
    """
    makes_updates = any(hasattr(each, "cb_on_update") for each in (module, model))
    return trained_by(optimizers_in(model)) if makes_updates else set()


def divide(
    model: nn.Module,
    others: Mapping[str, Parameter],
    entries: object,
    without: Collection[int] = (),
) -> list[Any]:
    """Return the groups that `optimizer.groups` describes, the unselected parameters first.

    Each entry selects parameters by `match`, a regular expression that is searched in their names,
    by `kinds`, or by both; its other keys are their options. If several entries select the same
    parameter, the later ones win, option by option.

    Args:
        model: The model; its parameters have the names of `named_parameters`.
        others: More parameters, by their names.
        entries: The value of `optimizer.groups`.
        without: The identities of parameters that are excluded.

    Raises:
        ConfigError: If it is not a list of such entries, or an entry selects no parameter.
    """
    if not isinstance(entries, list) or not entries:
        raise ConfigError(f"{KEY}: {entries!r:.60} is not a list of groups. {_EXAMPLE}")
    options: dict[str, dict[str, Any]] = {}
    described = {**_described(model), **{name: (each, set()) for name, each in others.items()}}
    described = {name: each for name, each in described.items() if id(each[0]) not in without}
    for place, entry in enumerate(entries):
        selected = _selected(f"{KEY}[{place}]", entry, described)
        own = {key: value for key, value in entry.items() if key not in SELECTORS}
        for name in selected:
            options[name] = options.get(name, {}) | own
    groups: dict[str, dict[str, Any]] = {"{}": {"params": []}}
    for name, (parameter, _) in described.items():
        own = options.get(name, {})
        group = groups.setdefault(repr(sorted(own.items())) if own else "{}", {"params": [], **own})
        group["params"].append(parameter)
    return [group for group in groups.values() if group["params"]]


_EXAMPLE: Final = "Write for example [{kinds: [norm, bias], weight_decay: 0}]."


def check_options(optimizer: Optimizer, entries: Any) -> None:  # noqa: ANN401 - `divide` checks it
    """Check that an optimizer has the options of its groups: PyTorch would accept any.

    Raises:
        ConfigError: If it does not have one of them.
    """
    known = [*optimizer.defaults]
    for place, entry in enumerate(entries):
        for key in entry:
            if key not in (*SELECTORS, *known):
                near = get_close_matches(key, known, n=1)
                meant = f" Did you mean {near[0]!r}?" if near else ""
                raise ConfigError(
                    f"{KEY}[{place}].{key}: {type(optimizer).__name__} does not have this option."
                    f"{meant} Its options are {', '.join(known)}."
                )


def check_finite(optimizer: Optimizer, written: Collection[str]) -> None:
    """Check that the learning rates are finite, and that no other option is set to what is not a number.

    Args:
        optimizer: The optimizer.
        written: The options that the config sets.

    Raises:
        ConfigError: If one is not: PyTorch accepts it, and the first step would make all weights useless.
    """
    for group in optimizer.param_groups:
        for key, value in group.items():
            wrong = isinstance(value, float) and not isfinite(value)
            if wrong and (key == "lr" or (key in written and isnan(value))):
                raise ConfigError(f"optimizer.{key}: {value} is not a finite number. Correct it.")


def check_trained(modules: Mapping[str, object]) -> None:
    """Check that the parameters of the criterion and the curriculum are trained exactly once.

    Called after `cb_on_train_begin`, in which a module may create its own optimizer.

    Raises:
        ConfigError: If no optimizer, or two, have the parameters of one.
    """
    main = {
        id(each)
        for group in getattr(modules["optimizer"], "param_groups", ())
        for each in group["params"]
    }
    own = trained_by(each for module in modules.values() for each in optimizers_in(module))
    model = modules["model"]
    models = {id(each) for each in model.parameters()} if isinstance(model, nn.Module) else set()
    for role in ("criterion", "curriculum"):
        module = modules.get(role)
        if not isinstance(module, nn.Module):
            continue
        names = {
            id(each): name
            for name, each in module.named_parameters()
            if each.requires_grad and id(each) not in models
        }
        if names and not names.keys() & (main | own):
            raise ConfigError(
                f"{role}: no optimizer has parameters of {type(module).__name__}, as"
                f" {next(iter(names.values()))}. Call requires_grad_(False) on them, or let the"
                " module create its own optimizer."
            )
        if twice := names.keys() & main & own:
            raise ConfigError(
                f"{role}: two optimizers have the parameter {names[min(twice)]} of"
                f" {type(module).__name__}. Create the module's own optimizer in its constructor, so"
                " that the run's optimizer does not get it."
            )


def _described(model: nn.Module) -> dict[str, tuple[Parameter, set[str]]]:
    """Return each parameter by its name, with its kinds."""
    owners = dict(model.named_modules())
    described = {}
    for name, parameter in model.named_parameters():
        path, _, last = name.rpartition(".")
        owner = owners[path]
        kinds = {BIAS} if last.endswith("bias") else set()
        if isinstance(owner, NORMS) or "norm" in type(owner).__name__.lower():
            kinds.add(NORM)
        if isinstance(owner, nn.Embedding | nn.EmbeddingBag):
            kinds.add(EMBEDDING)
        described[name] = parameter, kinds
    return described


def _selected(
    where: str, entry: object, described: Mapping[str, tuple[Parameter, set[str]]]
) -> list[str]:
    """Return the names of the parameters that an entry selects."""
    if not isinstance(entry, dict) or not entry.keys() & {*SELECTORS}:
        raise ConfigError(f"{where}: {entry!r:.60} has neither match nor kinds. {_EXAMPLE}")
    if not entry.keys() - {*SELECTORS, "params"}:
        raise ConfigError(f"{where}: it does not set any options. {_EXAMPLE}")
    if "params" in entry:
        raise ConfigError(f"{where}.params: match and kinds select the parameters. Remove it.")
    kinds = entry.get(KINDS, [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not isinstance(kinds, list) or any(each not in ALL_KINDS for each in kinds):
        raise ConfigError(
            f"{where}.{KINDS}: {kinds!r} is not a list of {', '.join(ALL_KINDS)}. Correct it."
        )
    if KINDS in entry and not kinds:
        raise ConfigError(f"{where}.{KINDS}: it names no kind. Name one, or remove it.")
    pattern = _pattern(where, entry.get(MATCH, ""))
    found = [
        name
        for name, (_, own) in described.items()
        if pattern.search(name) and (own & {*kinds} or not kinds)
    ]
    if not found:
        raise ConfigError(
            f"{where}: no parameter is selected. Choose among {', '.join([*described][:10])}."
        )
    return found


def _pattern(where: str, match: object) -> re.Pattern[str]:
    if not isinstance(match, (str, int)) or isinstance(match, bool):
        raise ConfigError(
            f"{where}.{MATCH}: {match!r:.60} is not a regular expression. Write one, such as ^backbone."
        )
    try:
        return re.compile(str(match))
    except re.error as error:
        raise ConfigError(
            f"{where}.{MATCH}: {match!r} is not a regular expression: {error}. Correct it."
        ) from None


def optimizers_in(module: object) -> Iterator[Optimizer]:
    """Yield the optimizers in the attributes of a module, also in lists, tuples and dictionaries."""
    for value in [*getattr(module, "__dict__", {}).values()]:
        if isinstance(value, Optimizer):
            yield value
        elif isinstance(value, list | tuple | dict):
            items = value.values() if isinstance(value, dict) else value
            yield from (each for each in items if isinstance(each, Optimizer))


def trained_by(optimizers: Iterable[Optimizer]) -> set[int]:
    """Return the identities of the parameters of optimizers."""
    return {
        id(each) for one in optimizers for group in one.param_groups for each in group["params"]
    }
