"""Owns when PyTorch's compiler is loaded: when something is compiled, not with the first optimizer.

Every optimizer of PyTorch imports `torch._dynamo`, only to be left alone by it: 800 modules, which
take as long as the rest of PyTorch, and a third of the memory that every fork is given.

Programs ask for it, with `load_late`; importing this module changes nothing. It relies on how PyTorch
is made inside, so it is for the versions that it was tested with only, and `TRAINER_LAZY_COMPILER=0`
in the environment switches it off.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec, module_from_spec
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NAME: Final = "torch._dynamo"
# Who asks to be left alone, and by which function.
OPTIMIZER_STEP: Final = ("torch.optim.optimizer", "graph_break")
OTHER_METHODS: Final = ("torch._compile", "disable")


TESTED: Final = ("2.13",)
SWITCH: Final = "TRAINER_LAZY_COMPILER"


def load_late() -> None:
    """Have `torch._dynamo` loaded when it is needed.

    Nothing happens if it is loaded already, is switched off, or PyTorch's version is another one.
    """
    version = ".".join(str(torch.__version__).split(".")[:2])
    wanted = os.environ.get(SWITCH, "1") != "0" and version in TESTED
    if wanted and NAME not in sys.modules:
        LateDynamo().take_place()


class LateDynamo(ModuleType):
    """Stand for `torch._dynamo` until more is asked of it than to leave something alone.

    Then the real module takes the place, and this one passes everything on to it. Nobody but PyTorch
    is ever given anything else than what the real one has.
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

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a module has anything
        """Return what the real module has, unless PyTorch only asks to be left alone."""
        asking = (sys._getframe(1).f_globals.get("__name__"), name)  # noqa: SLF001 - public, but for its name
        if sys.modules.get(NAME) is self:
            if asking == OPTIMIZER_STEP:
                return break_nothing
            if asking == OTHER_METHODS:
                return self._leave_alone
        return getattr(self.load(), name)

    def __setattr__(self, name: str, value: object) -> None:
        """Set it in the real module."""
        setattr(self.load(), name, value)

    def _leave_alone(self, function: Callable[..., Any], *_how: Any, **_else: Any) -> Any:  # noqa: ANN401 - PyTorch's
        """Return a function that nothing compiles: as it is, as long as nothing is compiled.

        PyTorch keeps what it gets under `__dynamo_disable`; from the function that we give back it
        is taken away when the real module is loaded.
        """
        self._left_alone.append(function)
        return function


def break_nothing() -> None:
    """Do what `graph_break` does outside of what is compiled."""


class Finder:
    """Have the real `torch._dynamo` loaded before anything that is in it."""

    def __init__(self, late: LateDynamo) -> None:
        self.late = late

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to import a module in it; nothing is loaded yet, for Python holds a lock here."""
        return ModuleSpec(name, Inside(self.late)) if name.startswith(f"{NAME}.") else None


class Inside(Loader):
    """Import one module in `torch._dynamo`: it may have come along with the package."""

    def __init__(self, late: LateDynamo) -> None:
        self.late = late
        self.spec: ModuleSpec | None = None
        self.is_new = False

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Load the package, and return the module."""
        self.late.load()
        module = sys.modules.get(spec.name)
        if module is None:
            found = find_spec(spec.name)
            if found is None:
                raise ModuleNotFoundError(f"No module named {spec.name!r}", name=spec.name)
            module, self.is_new = module_from_spec(found), True
        self.spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Put back what Python has replaced, and run the module, unless it is there."""
        vars(module)["__spec__"] = self.spec
        if self.is_new and self.spec is not None and self.spec.loader is not None:
            self.spec.loader.exec_module(module)
