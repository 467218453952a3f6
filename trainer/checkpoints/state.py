"""The state of a training: everything that a checkpoint saves.

The global generators are not part of it: random numbers depend on where they are used, see
`trainer.seeding`.
"""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

from trainer.errors import CheckpointError, ConfigError, is_out_of_memory
from trainer.numbers_version import NUMBERS
from trainer.switched_modules import as_trained, is_changed, load_as_saved, modes_of
from trainer.target_errors import first_line, is_in_libraries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import MappingProxyType

    import torch

    from trainer.checkpoints.reading import Saved
    from trainer.compute_environment import Environment
    from trainer.early_stopping import EarlyStopping
    from trainer.held_optimizers import HeldOptimizers
    from trainer.history import History
    from trainer.module_generators import ModuleGenerators
    from trainer.run_config import Watch
    from trainer.training_position import TrainingBatches

    State = dict[str, Any]


class Resumable(Protocol):
    """The parts of a trainer that a checkpoint consists of."""

    iteration: int
    stateful: MappingProxyType[str, object]
    batches: TrainingBatches
    history: History
    stopping: EarlyStopping
    watch: Watch
    generators: ModuleGenerators
    held: HeldOptimizers
    environment: Environment
    numbers_before: list[int]
    environment_changes: list[str]
    device: torch.device


@contextmanager
def saving(trainer: Resumable) -> Iterator[Callable[[], State]]:
    """Switch modules that may change for evaluations to training in the block; yield what returns the state.

    It has the modes that they had before, and get back; what they draw meanwhile, they draw again later.
    """
    models = dict(_models(trainer))
    own: State = {"modes": {role: modes_of(each) for role, each in models.items()}}
    if any(map(is_changed, models.values())):  # looking for generators takes long
        own["generators"] = trainer.generators.state_dict()
    with as_trained(*models.values()):
        yield lambda: state_of(trainer) | own
        trainer.generators.load_state_dict(own.get("generators", {}))
    trainer.generators.load_state_dict(own.get("generators", {}))


def state_of(trainer: Resumable) -> State:
    """Return everything that another process needs to resume, in tensors and plain values.

    The tensors are the trainer's own, not copies: save them before the next step.
    """
    return {
        "iteration": trainer.iteration,
        "modules": module_states(trainer),
        "frozen": [name for name, each in _parameters(trainer) if not each.requires_grad],
        "held": trainer.held.state_dict(),
        "batches": trainer.batches.state_dict(),
        "history": trainer.history.state_dict(),
        "stopping": trainer.stopping.state_dict(),
        "total_read": trainer.watch.is_read,
        "generators": trainer.generators.state_dict(),
        "numbers": NUMBERS,
        "numbers_before": trainer.numbers_before,
        "environment": trainer.environment,
        "environment_changes": trainer.environment_changes,
    }


def module_states(trainer: Resumable) -> State:
    """Return the states of all modules that have one, by their roles.

    Raises:
        CheckpointError: If a library cannot return one, as PyTorch's of a schedule by a built-in function.
    """
    states = {}
    for role, module in _stateful(trainer).items():
        try:
            states[role] = module.state_dict()
        except Exception as error:
            if is_out_of_memory(error) or not is_in_libraries(error):
                raise
            raise CheckpointError(
                f"{role}: {type(module).__name__}.state_dict() fails: {first_line(error)}. Correct its"
                " arguments, or choose another."
            ) from error
    return states


def restore(trainer: Resumable, saved: Saved) -> None:
    """Restore the trainer, bit by bit, to where `state_of` was called.

    Tensors that were on a GPU are moved to the trainer's device, one module after the other.
    """
    state = saved.state
    trainer.iteration = state["iteration"]
    restore_modules(trainer, saved, state.get("generators", {}))
    if "frozen" in state:  # an earlier version did not save it
        for name, parameter in _parameters(trainer):
            parameter.requires_grad_(name not in state["frozen"])
    held = state.get("held", {})
    for path, each in trainer.held.find().items():
        if path in held:  # an earlier version did not save them
            _restore_one(path, each, held, saved, trainer.device)
    trainer.batches.load_state_dict(state["batches"])
    trainer.history.load_state_dict(state["history"])
    trainer.stopping.load_state_dict(state.get("stopping", {}))
    trainer.watch.is_read |= state.get("total_read", True)  # an earlier version did not watch
    trainer.generators.load_state_dict(state.get("generators", {}))
    trainer.environment_changes = state["environment_changes"]
    trainer.numbers_before = state.get("numbers_before", [])


def restore_within(trainer: Resumable, saved: Saved) -> None:
    """Restore the trainer to a step of the iteration that it has begun."""
    # Its modules were switched when it began.
    within = replace(saved, state={**saved.state["trainer"], "modes": {}})
    changes = trainer.environment_changes, trainer.numbers_before
    restore(trainer, within)
    trainer.environment_changes, trainer.numbers_before = changes


def restore_modules(trainer: Resumable, saved: Saved, drawn: State | None = None) -> None:
    """Restore the state of every module.

    ``drawn``: the states of their generators, with which they are switched as they were saved.

    Raises:
        CheckpointError: If a state does not fit its module, because that changed during the training.
    """
    modes = saved.state.get("modes", {"model": None})  # an earlier version did not save them
    for role, module in _stateful(trainer).items():

        def load(role: str = role, module: object = module) -> None:
            _restore_one(role, module, saved.state["modules"], saved, trainer.device)
            trainer.generators.load_state_dict(drawn or {})

        if isinstance(module, nn.Module) and role in modes:
            load_as_saved(module, load, modes[role])
        else:
            load()


def _restore_one(
    name: str,
    module: Any,  # noqa: ANN401 - the user's
    states: State,
    saved: Saved,
    device: torch.device,
) -> None:
    try:
        part = _brought(states[name], saved, device) if saved.far else states[name]
        module.load_state_dict(part)
    except (KeyError, ValueError, RuntimeError, IndexError) as error:
        if is_out_of_memory(error) or not _is_pytorchs(module):
            raise
        iteration = saved.state["iteration"]
        reason = " ".join(str(error).split())
        raise CheckpointError(
            f"{name}: its state after iteration {iteration} does not fit {type(module).__name__} as"
            f" it is built: {reason:.300}. If callbacks change the module, let cb_on_train_begin"
            " change it as it was changed up to trainer.iteration."
        ) from error
    if isinstance(module, Optimizer):
        _restore_kinds(module, part, is_placed=bool(saved.far))


def _is_pytorchs(module: object) -> bool:
    """Return whether `load_state_dict` is PyTorch's; the user's own may have a bug."""
    method = getattr(type(module), "load_state_dict", None)
    return str(getattr(method, "__module__", "")).startswith("torch.")


def _brought(value: Any, saved: Saved, device: torch.device) -> Any:  # noqa: ANN401 - what holds tensors
    """Return a part of the saved state, with the tensors that were on a GPU moved to a device."""
    if isinstance(value, Tensor):
        return value.to(device) if saved.is_far(value) else value
    if isinstance(value, dict):
        brought = copy(value)  # of the same type, and with the versions of a model's modules
        for key, item in value.items():
            brought[key] = _brought(item, saved, device)
        return brought
    if isinstance(value, list | tuple):
        return type(value)(_brought(item, saved, device) for item in value)
    return value


def _restore_kinds(optimizer: Optimizer, saved: State, *, is_placed: bool) -> None:
    """Restore an optimizer's strings, and the dtypes of its tensors: PyTorch casts them to those of the parameters.

    PyTorch also moves them to the device of the parameters. That is correct if the training moved to
    another kind of device; otherwise (`is_placed`) tensors that were on the CPU stay there, because
    a GPU rounds divisions differently.
    """
    numbers = [number for group in saved.get("param_groups", ()) for number in group["params"]]
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    for number, parameter in zip(numbers, parameters, strict=False):
        loaded = optimizer.state.get(parameter, {})
        for key, value in saved["state"].get(number, {}).items():
            if key in loaded:
                loaded[key] = _as_saved(loaded[key], value, is_placed=is_placed)


def _as_saved(loaded: Any, saved: Any, *, is_placed: bool) -> Any:  # noqa: ANN401 - tensors, or what holds them
    """Return the loaded value, with the saved tensors where the dtype or the device differs."""
    if isinstance(saved, Tensor) and isinstance(loaded, Tensor):
        device = saved.device if is_placed else loaded.device
        is_alike = (loaded.dtype, loaded.device) == (saved.dtype, device)
        return loaded if is_alike else saved.to(device, copy=True)
    if isinstance(saved, dict) and isinstance(loaded, dict):
        found = copy(saved)  # of the same type
        for key, value in saved.items():
            found[key] = _as_saved(loaded[key], value, is_placed=is_placed)
        return found
    if isinstance(saved, list | tuple) and isinstance(loaded, list | tuple):
        pairs = zip(loaded, saved, strict=True)
        return type(saved)(_as_saved(*pair, is_placed=is_placed) for pair in pairs)
    # PyTorch makes whatever can be iterated over again from its parts, and of strings something else.
    return loaded if isinstance(saved, Tensor) else copy(saved)


def _parameters(trainer: Resumable) -> Iterator[tuple[str, Tensor]]:
    """Yield the parameters of all modules with their names: callbacks may freeze them, or no longer."""
    for role, module in _models(trainer):
        yield from module.named_parameters(role)


def _models(trainer: Resumable) -> Iterator[tuple[str, nn.Module]]:
    for role, module in trainer.stateful.items():
        if isinstance(module, nn.Module):
            yield role, module


def _stateful(trainer: Resumable) -> dict[str, Any]:
    """Return the modules with a `state_dict`; `check_states` has checked them."""
    return {
        role: module for role, module in trainer.stateful.items() if hasattr(module, "state_dict")
    }


def check_states(modules: Mapping[str, object]) -> None:
    """Check that every module that saves its state can also load it.

    Raises:
        ConfigError: If it has only one of the two methods, or cannot be handed a state.
    """
    pair = ("state_dict", "load_state_dict")
    for role, module in modules.items():
        has = [method for method in pair if hasattr(module, method)]
        if len(has) == 1:
            (missing,) = {*pair} - {*has}
            raise ConfigError(
                f"{role}: {type(module).__name__} has {has[0]}() but not {missing}(), so its state"
                " would be lost when the run is resumed. Give it both, or neither."
            )
        for method, values in (("state_dict", ()), ("load_state_dict", ({},))):
            if has and not _can_be_called(getattr(module, method), *values):
                raise ConfigError(
                    f"{role}: {type(module).__name__}.{method} has other parameters than"
                    f" {'one for the state' if values else 'none'}. Correct them."
                )


def _can_be_called(method: object, *values: object) -> bool:
    if not callable(method):
        return False
    try:
        inspect.signature(method).bind(*values)
    except ValueError:  # some have no signature
        return True
    except TypeError:
        return False
    return True
