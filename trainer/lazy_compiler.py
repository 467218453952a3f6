"""The lazy compiler: imports PyTorch's compiler when something is compiled, not with an optimizer.

Every optimizer of PyTorch imports `torch._dynamo`, only to exclude its methods from compilation: 800
modules, which take as long to import as the rest of PyTorch, and a third of the memory of a fork.

Programs call `load_late`; importing this module changes nothing. It relies on internals of PyTorch,
so it is enabled only for tested versions, and disabled by `TRAINER_LAZY_COMPILER=0` in the
environment.
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
# The modules that exclude code from compilation, and the functions that they use.
OPTIMIZER_STEP: Final = ("torch.optim.optimizer", "graph_break")
OTHER_METHODS: Final = ("torch._compile", "disable")


TESTED: Final = ("2.13",)
SWITCH: Final = "TRAINER_LAZY_COMPILER"


def load_late() -> None:
    """Defer the import of `torch._dynamo` until it is needed.

    Does nothing if it is already imported, missing, or disabled, or this version of PyTorch is untested.
    """
    version = ".".join(str(torch.__version__).split(".")[:2])
    wanted = os.environ.get(SWITCH, "1") != "0" and version in TESTED
    if wanted and NAME not in sys.modules and (spec := PathFinder.find_spec(NAME, torch.__path__)):
        LateDynamo(spec).take_place()


class LateDynamo(ModuleType):
    """A stub of `torch._dynamo`, until more is used than the functions that exclude code.

    Then the real module replaces it, and it forwards all attributes. Only PyTorch itself ever gets
    anything else than the real attributes.
    """

    def __init__(self, spec: ModuleSpec) -> None:
        super().__init__(NAME)
        # The attributes that Python reads from an imported module.
        known = {
            "__spec__": spec,
            "__file__": spec.origin,
            "__path__": spec.submodule_search_locations,
        }
        self.__dict__.update(known, _left_alone=[], _giving_way=Lock(), _finder=Finder(self))

    def take_place(self) -> None:
        """Make this stub what an import of `torch._dynamo` finds."""
        sys.meta_path.insert(0, self._finder)
        sys.modules[NAME] = self
        torch._dynamo = self  # noqa: SLF001 - as an import does

    def load(self) -> ModuleType:
        """Import the real module in place of the stub, the first time, and return it."""
        with self._giving_way:
            if sys.modules.get(NAME) is self:
                sys.meta_path.remove(self._finder)
                del sys.modules[NAME], torch._dynamo  # noqa: SLF001 - as above
                for function in self._left_alone:
                    vars(function).pop("__dynamo_disable", None)
        return import_module(NAME)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a module has anything
        """Return the attribute of the real module, unless PyTorch only excludes code."""
        asking = (sys._getframe(1).f_globals.get("__name__"), name)  # noqa: SLF001 - public, but for its name
        if sys.modules.get(NAME) is self:
            if asking == OPTIMIZER_STEP:
                return break_nothing
            if asking == OTHER_METHODS:
                return self._leave_alone
        return getattr(self.load(), name)

    def __setattr__(self, name: str, value: object) -> None:
        """Set the attribute of the real module."""
        setattr(self.load(), name, value)

    def _leave_alone(self, function: Callable[..., Any], *_how: Any, **_else: Any) -> Any:  # noqa: ANN401 - PyTorch's
        """Return the function unchanged, which is correct as long as nothing is compiled.

        PyTorch caches the result under `__dynamo_disable`; the cache is cleared when the real module
        is imported.
        """
        self._left_alone.append(function)
        return function


def break_nothing() -> None:
    """Do nothing, like `graph_break` outside compiled code."""


class Finder:
    """A finder that imports the real `torch._dynamo` before any of its submodules."""

    def __init__(self, late: LateDynamo) -> None:
        self.late = late

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a submodule; nothing is imported yet, as Python holds a lock here."""
        return ModuleSpec(name, Inside(self.late)) if name.startswith(f"{NAME}.") else None


class Inside(Loader):
    """A loader of one submodule of `torch._dynamo`, which the package may already have imported."""

    def __init__(self, late: LateDynamo) -> None:
        self.late = late
        self.spec: ModuleSpec | None = None
        self.is_new = False

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Import the package, and return the submodule."""
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
        """Restore the spec that Python has replaced, and execute the submodule if it is new."""
        vars(module)["__spec__"] = self.spec
        if self.is_new and self.spec is not None and self.spec.loader is not None:
            self.spec.loader.exec_module(module)
