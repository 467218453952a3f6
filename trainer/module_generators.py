"""The random generators that modules hold: what they draw from besides the global ones.

Those that data sets hold are seeded for each batch (`trainer.loading.seeded_batches`). All others keep
the numbers that their seed gives, and their states are part of a checkpoint. Those without a seed of
their own, which would draw other numbers in each process, get one that depends on the run's seed.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from trainer.build import build_again
from trainer.loading.call_in_fork import found_without_trace
from trainer.loading.contents import digest_of_samples
from trainer.loading.hidden_generators import (
    find_generators,
    is_own_generator,
    put_back,
    seed_generator,
    states_of,
)
from trainer.loading.object_graph import reachable
from trainer.run_files import say
from trainer.seeding import derive, seed_everything
from trainer.target_errors import is_installed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trainer.loading.hidden_generators import Generator
    from trainer.loading.loaders import Loader
    from trainer.settings import Config

    State = dict[str, Any]

# The limits of the search: objects, and items of each container.
MOST_OBJECTS = 20_000
MOST_ITEMS = 256
DATA = "data"
ROLE = re.compile(r"\w+")


class ModuleGenerators:
    """The generators that modules hold, by the paths that lead to them from the role of a module.

    Args:
        modules: The modules by their roles.
        loaders: The loaders: what their data sets hold is excluded.
    """

    def __init__(self, modules: Mapping[str, object], loaders: Iterable[Loader] = ()) -> None:
        self._modules = modules
        self._samples = [each.dataset for each in loaders]
        self._known: set[str] = set()
        self._lent: set[int] = set()
        self._is_told = False

    def find(self) -> dict[str, Generator]:
        """Return the generators that the modules hold now."""
        found = find_in(self._modules, self._samples)
        if any(path not in self._known for path in found):
            # A transform, for example, may be an attribute of the data module as well.
            self._lent = {id(each) for each in find_generators(*self._samples)}
        return {path: each for path, each in found.items() if id(each) not in self._lent}

    def begin(self, config: Config, seed: int) -> None:
        """Find the generators, and seed those that are not seeded.

        These are told by building their modules again, in a separate process: their states differ.
        For a data module, which may take long to build, all count as not seeded.
        """
        found = self.find()
        self._known = {*found}
        if not found:
            return
        roles = [
            role
            for role in self._modules
            if role != DATA and any(_is_of(role, path) for path in found)
        ]
        states = {path: digest_of_samples(states_of([each])) for path, each in found.items()}
        again = found_without_trace(
            lambda: _states_if_built_again(config, self._modules, roles, seed),
            what="generators of modules",
        )
        for path, generator in found.items():
            if _is_of(DATA, path) or again.get(path, states[path]) != states[path]:
                seed_generator(generator, derive(seed, "generator", path))

    def look_again(self) -> None:
        """Find those that were made in `cb_on_train_begin`."""
        self._known |= {*self.find()}

    def tell_late(self) -> None:
        """Print which were made during the first iteration of this process.

        A resumed process has made others at that point, whose states are not those of the checkpoint.
        """
        if self._is_told:
            return
        self._is_told = True
        for path in self.find():
            if path not in self._known:
                self._known.add(path)
                say(
                    f"note: {path} is a random generator that was created during the training: a resumed"
                    " run draws other numbers from it. Create it in the constructor, or seed it in"
                    " each iteration."
                )

    def state_dict(self) -> State:
        """Return the states, in tensors and plain values; an empty dictionary without generators."""
        if not self._known:
            return {}
        return {path: _plain(state) for path, state in _states(self.find()).items()}

    def load_state_dict(self, state: State) -> None:
        """Restore the states of the generators that are there."""
        if not state:
            return
        for path, generator in self.find().items():
            if path in state:
                (now,) = states_of([generator])
                put_back(generator, _as_in(now, state[path]))


def find_in(modules: Mapping[str, object], without: Sequence[object] = ()) -> dict[str, Generator]:
    """Return the generators that modules hold, each by the first path that leads to it."""
    found: dict[str, Generator] = {}
    known = set()
    for role, module in modules.items():
        held = reachable(module, most_objects=MOST_OBJECTS, most_items=MOST_ITEMS, without=without)
        for path, value in held:
            if is_own_generator(value) and id(value) not in known:
                known.add(id(value))
                found.setdefault(f"{role}{path}", value)
    return found


def _is_of(role: str, path: str) -> bool:
    return ROLE.match(path)[0] == role  # type: ignore[index]  # each path begins with one


def _states(found: Mapping[str, Generator]) -> State:
    return dict(zip(found, states_of([*found.values()]), strict=True))


def _states_if_built_again(
    config: Config, modules: Mapping[str, object], roles: Iterable[str], seed: int
) -> dict[str, str]:
    """Import the user's code and build some modules again, and return digests of their generators."""
    for name, module in [*sys.modules.items()]:
        file = getattr(module, "__file__", None)
        if name != "__main__" and file and not is_installed(file):
            del sys.modules[name]
    seed_everything(seed, "modules")
    built = {role: build_again(config, role, modules) for role in roles}
    states = _states(find_in(built))
    return {path: digest_of_samples([state]) for path, state in states.items()}


def _plain(state: Any) -> Any:  # noqa: ANN401 - each kind of generator has its own
    """Return a state in tensors and plain values."""
    if isinstance(state, dict):
        return {key: _plain(value) for key, value in state.items()}
    return state.tolist() if isinstance(state, np.ndarray) else state


def _as_in(now: Any, saved: Any) -> Any:  # noqa: ANN401 - as above
    """Return a saved state with the types of a state of the generator."""
    if isinstance(now, dict):
        return {key: _as_in(value, saved[key]) for key, value in now.items()}
    return np.array(saved, dtype=now.dtype) if isinstance(now, np.ndarray) else saved
