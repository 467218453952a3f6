"""Unsaved state: values that change in the training, and that no checkpoint has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from torch import Tensor

from trainer.compute_environment import process_settings
from trainer.errors import listed
from trainer.loading.loaded_batches import TensorBatches
from trainer.object_parts import WHICH, ItemCount
from trainer.reached_values import reached_values
from trainer.read_only import added_by_others
from trainer.run_files import say
from trainer.ways_to_save import is_of_package, saves_its_own_way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from trainer.configured_metrics import Measures
    from trainer.loading.loaders import Loader
    from trainer.read_only import ReadOnly

    Values = dict[str, object]

MOST_NAMED: Final = 5
LOOKS: Final = 2  # after this many iterations
ADDRESS: Final = re.compile(rf"{WHICH}\d+")


class UnsavedState:
    """The values that code reaches and no `state_dict` has.

    Args:
        modules: The modules by their roles.
        others: Returns other objects whose code takes part in the training, by their names.
        generators: Returns the random generators whose states are saved.
    """

    def __init__(
        self,
        modules: Mapping[str, object],
        others: Callable[[], Mapping[str, object]] = dict,
        generators: Callable[[], Iterable[object]] = tuple,
    ) -> None:
        self._modules = modules
        self._others = others
        self._generators = generators
        self._before: Values = {}
        self._looks = 0

    def begin(self) -> None:
        """Note the values at the beginning of the training."""
        self._before = self._values()

    def tell(self) -> None:
        """Print which values have changed: a resumed run starts with the first ones.

        Called after each iteration, it looks after the first two. What an iteration creates is named if
        the next one changes it: many things are created once.
        """
        if self._looks == LOOKS:
            return
        self._looks += 1
        now = self._values()
        changed = [
            path
            for path, value in self._before.items()
            if differ(now.get(path, value), value) and _counts(value, self._looks)
        ]
        if changed:
            named = [*dict.fromkeys(ADDRESS.sub("", path) for path in changed)]
            these = listed(named, MOST_NAMED)
            when = "the first iteration" if self._looks == 1 else "the first iterations"
            say(
                f"note: {these} changed in {when}, and no state_dict() saves that: a resumed"
                " run starts from the first value. Ignore this if each iteration sets it, or nothing"
                " depends on it."
            )
        self._before = {path: value for path, value in now.items() if path not in changed}
        if self._looks == LOOKS:
            self._before = {}

    def _values(self) -> Values:
        modules, generators = self._modules, self._generators
        values = reached_values(modules, self._others(), generators=generators)
        own = {role: each for role, each in modules.items() if saves_its_own_way(each)}
        if own:  # what their code reaches, they may save
            theirs = reached_values(
                own, beside=modules.values(), with_own_ways=True, generators=generators
            )
            values = {path: value for path, value in values.items() if path not in theirs}
        return values


def _counts(value: object, looks: int) -> bool:
    """Return whether a change of a value is told, or may be that of a cache, until it changes again."""
    return looks > 1 or not (value is None or isinstance(value, ItemCount))


def differ(value: object, other: object) -> bool:
    """Return whether two values that were reached by one path are not the same."""
    return value is not other and value != other


def code_beside(
    trainer: ReadOnly, loaders: Mapping[str, Loader], measures: Measures
) -> dict[str, object]:
    """Return what the user's code may change besides the modules, and what else runs it, by names."""
    found: dict[str, object] = {**process_settings()}
    found |= {f"trainer.{name}": each for name, each in added_by_others(trainer).items()}
    for name, metric in measures.metrics.items():
        found[f"metrics.{name}"] = metric
        if is_of_package(type(metric)):
            # Objects of libraries are not looked into, but metrics may keep what reset() leaves, as extremes.
            found |= {
                f"metrics.{name}.{key}": value
                for key, value in getattr(metric, "__dict__", {}).items()
                if isinstance(value, Tensor)
            }
    for loader in loaders.values():
        if loader.order.sampler is not None:
            found[loader.order.key] = loader.order.sampler
        if not isinstance(loader, TensorBatches):
            found.setdefault("dataloader.collate_fn", loader.made.collate)
    return found
