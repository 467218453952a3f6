"""Owns when PyTorch's compiler is loaded: when something is compiled, not with the first optimizer.

Every optimizer of PyTorch imports `torch._dynamo`, only to be left alone by it: 800 modules, which
take as long as the rest of PyTorch, and a third of the memory that every fork is given.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from threading import Lock
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME: Final = "torch._dynamo"
ASKS_TO_BE_LEFT_ALONE: Final = "torch._compile"


def load_late() -> None:
    """Have `torch._dynamo` loaded when it is needed; nothing happens if it is loaded already."""
    if NAME not in sys.modules:
        LateDynamo().take_place()


class LateDynamo(ModuleType):
    """Stand for `torch._dynamo` until more is asked of it than to leave something alone.

    Then the real module takes the place, and this one passes everything on to it.
    """

    def __init__(self) -> None:
        super().__init__(NAME)
        spec = PathFinder.find_spec(NAME, torch.__path__)
        if spec is None:  # as Python says it
            raise ModuleNotFoundError(f"No module named {NAME!r}", name=NAME)
        # What Python asks a module that it has imported before.
        known = {
            "__spec__": spec,
            "__file__": spec.origin,
            "__path__": spec.submodule_search_locations,
        }
        self.__dict__.update(known, _left_alone=[], _giving_way=Lock(), _finder=Finder(self))

    def take_place(self) -> None:
        """Be what an import of `torch._dynamo` finds."""
        sys.meta_path.insert(0, self._finder)
        sys.modules[NAME] = self
        torch._dynamo = self  # noqa: SLF001 - as an import does

    def load(self) -> ModuleType:
        """Give way to the real module, the first time, and return it."""
        with self._giving_way:
            if sys.modules.get(NAME) is self:
                sys.meta_path.remove(self._finder)
                del sys.modules[NAME], torch._dynamo  # noqa: SLF001 - as above
                for function in self._left_alone:
                    vars(function).pop("__dynamo_disable", None)
        return import_module(NAME)

    def graph_break(self, message: str = "") -> None:
        """Do nothing, as the real one does outside of what is compiled."""

    def disable(self, function: Any = None, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - passed on
        """Return a function that nothing compiles: as it is, as long as nothing is compiled."""
        caller = sys._getframe(1).f_globals.get("__name__")  # noqa: SLF001 - public, but for its name
        if caller != ASKS_TO_BE_LEFT_ALONE or not isinstance(function, FunctionType):
            return self.load().disable(function, *args, **options)
        # It is kept there under `__dynamo_disable`, until the real module is loaded.
        self._left_alone.append(function)
        return function

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a module has anything
        """Return what the real module has."""
        return getattr(self.load(), name)

    def __setattr__(self, name: str, value: object) -> None:
        """Set it in the real module."""
        setattr(self.load(), name, value)


class Finder:
    """Load the real `torch._dynamo` before anything that is in it."""

    def __init__(self, late: LateDynamo) -> None:
        self.late = late

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to import a module: it may have come along with the package."""
        if not name.startswith(f"{NAME}."):
            return None
        self.late.load()
        module = sys.modules.get(name)
        if module is None:
            return None
        # For a module that is there by now, Python takes its own `__spec__`, and would run it again.
        spec = vars(module)["__spec__"] = ModuleSpec(name, Loaded(module))
        return spec


class Loaded(Loader):
    """Import a module that is there as it is."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.spec = module.__spec__

    def create_module(self, _spec: ModuleSpec) -> ModuleType:
        """Return the module."""
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        """Put back what a finder has replaced."""
        vars(module)["__spec__"] = self.spec
