"""The rehearsal of a resume: whether states that modules save in ways of their own come back.

PyTorch's own states do. A `state_dict` of the user's may leave out something, and a `load_state_dict`
may fail or forget: a run that is killed would then differ, or never be resumed. So after the first
iteration, in a separate process, the states of the end and of the beginning are loaded.
"""

from __future__ import annotations

import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from torch import nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from trainer.errors import CheckpointError
from trainer.loading.call_in_fork import found_without_trace
from trainer.reached_values import reached_values
from trainer.run_files import say
from trainer.state_digest import copy_of_state, digest_of, tensors_in
from trainer.target_errors import first_line, is_installed
from trainer.ways_to_save import saves_its_own_way, saves_more

if TYPE_CHECKING:
    from collections.abc import Mapping

    Digests = dict[str, str]
    Form = dict[str, object]

MOST_BYTES: Final = 1 << 24  # of a state that is kept until the end of the first iteration
MOST_NAMED: Final = 5


class Rehearsal:
    """Loads the states of modules that have their own way to save them, once.

    Args:
        modules: The modules by their roles.
        is_rebuilt: Whether a callback at the beginning of the training may rebuild changed modules.
        may_change: Whether callbacks may change modules after the first iteration.
    """

    def __init__(
        self, modules: Mapping[str, object], *, is_rebuilt: bool = False, may_change: bool = True
    ) -> None:
        self._all = modules
        self._modules: dict[str, Any] = {
            role: module for role, module in modules.items() if saves_its_own_way(module)
        }
        self._before: dict[str, tuple[object, dict[str, object]]] = {}
        self._built = (
            {} if is_rebuilt else {role: each for role, each in modules.items() if _form_of(each)}
        )
        self._may_change = may_change
        self._forms = {role: _form_of(each) for role, each in self._built.items()}

    def begin(self) -> None:
        """Keep the states of the beginning."""
        for role, module in self._modules.items():
            with suppress(Exception):  # user code, which may work only after an iteration
                state = module.state_dict()
                if _size_of(state) <= MOST_BYTES:
                    self._before[role] = copy_of_state(state), self._values_of(role)

    def tell(self) -> None:
        """Print what a resumed run would not have again; called after the first iteration.

        Raises:
            CheckpointError: If a module cannot load its own state: the run could not be resumed.
        """
        self._tell_changed()
        before, self._before = self._before, {}
        if not before:
            return
        found = found_without_trace(
            lambda: {role: self._rehearsed(role, *its) for role, its in before.items()},
            what="states of modules",
        )
        for role, (error, lost) in found.items():
            kind = type(self._modules[role]).__name__
            if error:
                raise CheckpointError(
                    f"{role}: {kind}.load_state_dict() fails for what its state_dict() returns: {error}."
                    " A run that is interrupted could not be resumed. Correct it."
                )
            if lost:
                say(
                    f"note: {', '.join(lost[:MOST_NAMED])} changed in the first iteration, and"
                    f" load_state_dict() of {kind} does not restore that: a resumed run would differ."
                    " Ignore this if each iteration sets it, or nothing depends on it."
                )

    def _tell_changed(self) -> None:
        """Print, once for each module, that it could not be restored as it is built."""
        forms = [*self._forms.items()]
        if not self._may_change:  # looking takes a millisecond
            self._forms = {}
        for role, form in forms:
            if not _fits(_form_of(self._built[role]), form):
                self._forms.pop(role, None)
                say(
                    f"note: the {role} has other tensors or parameter groups than when it was built, and no"
                    " module has cb_on_train_begin to change it again: a run that is interrupted now could"
                    " not be resumed."
                )

    def _rehearsed(
        self, role: str, state: object, values: Mapping[str, object]
    ) -> tuple[str, list[str]]:
        """Load the state of now and that of the beginning.

        Returns:
            Why the first could not be loaded, and the names of what the second did not restore.
        """
        module = self._modules[role]
        now, now_again = (_digests_of(module.state_dict(), role) for _ in range(2))
        values_now = self._values_of(role)
        try:
            module.load_state_dict(copy_of_state(module.state_dict()))
        except Exception as error:  # noqa: BLE001 - user code
            return _told(error), []
        wanted = _digests_of(state, role)
        try:
            module.load_state_dict(state)
            found, values_found = _digests_of(module.state_dict(), role), self._values_of(role)
        except Exception:  # noqa: BLE001 - user code, which may not be able to go back
            return "", []
        lost = [
            key
            for key, digest in wanted.items()
            if now.get(key) == now_again.get(key) != digest != found.get(key)
        ]
        lost += [
            path
            for path, value in values.items()
            if values_now.get(path) != value != values_found.get(path) and path not in lost
        ]
        return "", lost

    def _values_of(self, role: str) -> dict[str, object]:
        """Return the values that a module reaches, and the weights that are trained."""
        module = self._modules[role]
        values = reached_values({role: module}, beside=self._all.values(), with_own_ways=True)
        left = MOST_BYTES
        for name, weight in module.named_parameters() if isinstance(module, nn.Module) else ():
            if weight.requires_grad and not is_lazy(weight) and (left := left - weight.nbytes) >= 0:
                values[f"{role}.{name}"] = digest_of(weight)
        return values


def _form_of(module: object) -> Form:
    """Return what of a module its state has to fit; nothing for objects of the user's own.

    `None` stands for a lazy parameter, which takes the shape that its state has.
    """
    if isinstance(module, Optimizer):
        return {str(place): len(group["params"]) for place, group in enumerate(module.param_groups)}
    if not isinstance(module, nn.Module) or any(
        saves_more(type(each)) for each in module.modules()
    ):
        return {}
    tensors = (*module.named_parameters(), *module.named_buffers())
    return {name: None if is_lazy(each) else each.shape for name, each in tensors}


def _fits(now: Form, built: Form) -> bool:
    return now.keys() == built.keys() and all(
        form in (None, now[name]) for name, form in built.items()
    )


def _told(error: Exception) -> str:
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not is_installed(frame.filename)
    ]
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {first_line(error)}{place}"


def _digests_of(state: Any, role: str) -> Digests:  # noqa: ANN401 - the user's
    """Return a digest of each part of a state."""
    parts = state if isinstance(state, dict) else {"state": state}
    return {f"{role}.{key}": digest_of(value) for key, value in parts.items()}


def _size_of(state: object) -> int:
    return sum(tensor.nbytes for tensor in tensors_in(state))
