"""The setup of a project: its environment file, and its modules that configs need.

Modules that register resolvers or configs with Hydra are imported before the config is composed. The
modules of the current folder are found after the installed ones, so that none hides one of Python's.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import importlib.util
import os
import stat
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import hydra
from omegaconf import OmegaConf

from orchestrator.errors import ConfigError, PreloadError
from orchestrator.runner.project_import_path import (
    MissingModuleError,
    find_modules_of_the_project,
    import_named,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig

SETUP: Final = "orch.setup"
ENV_FILE: Final = "orch.env_file"
_SLOW: Final = 1.0  # seconds
_PYTHON: Final = ".py"


@dataclass(frozen=True, slots=True)
class ProjectSetup:
    """The file of environment variables, and the modules that are imported, in this order."""

    env_file: str | None = None
    modules: tuple[str, ...] = ()


def read_setup(primary: DictConfig, given: Sequence[Override]) -> ProjectSetup:
    """Return the setup that the primary config names, or an override.

    Raises:
        ConfigError: A setting has the wrong type.
    """
    if OmegaConf.is_list(OmegaConf.select(primary, "orch")):
        raise ConfigError("orch is not a mapping. Write its settings as keys: workers: 2.")
    found = {key: OmegaConf.select(primary, key) for key in (SETUP, ENV_FILE)}
    for override in given:
        if override.key_or_group in found:
            found[override.key_or_group] = None if override.is_delete() else override.value()
    return parse_setup(found[SETUP], found[ENV_FILE])


def parse_setup(modules: object, env_file: object) -> ProjectSetup:
    """Return a setup from its settings.

    Raises:
        ConfigError: A setting has the wrong type.
    """
    names = OmegaConf.to_container(modules) if OmegaConf.is_list(modules) else modules
    names = [names] if isinstance(names, str) else names or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{SETUP} is not a list of modules. Write it as [package.module].")
    if not (env_file is None or isinstance(env_file, str)):
        raise ConfigError(f"{ENV_FILE} is not a file. Write it as .env.")
    return ProjectSetup(str(env_file) if env_file else None, tuple(map(str, names)))


def load_environment(env_file: str) -> None:
    """Set the variables of a file, except those that are set already.

    Raises:
        ConfigError: It cannot be read.
    """
    from dotenv import dotenv_values  # noqa: PLC0415 # only for those who have such a file

    path = Path(env_file).expanduser()
    try:
        with _open_regular(path) as stream:
            found = dotenv_values(stream=stream)
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(
            f"{ENV_FILE}: {env_file}: {what}. Create it in {Path.cwd()}, or remove the setting."
        ) from None
    for name, value in found.items():
        if value is not None:
            os.environ.setdefault(name, value)


def _open_regular(path: Path) -> IO[str]:
    """Open a text file; a pipe that nobody writes to would be waited for.

    Raises:
        OSError: It cannot be opened, or is not a regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file")
    return open(descriptor, encoding="utf-8-sig")  # noqa: PTH123 # the descriptor is meant


def load_modules(names: Sequence[str], setting: str = SETUP) -> tuple[str, ...]:
    """Import modules, or files that end with ``.py``; return a note for each that takes long.

    What they print goes to stderr, and functions of ``@hydra.main`` that they call do not run.

    Raises:
        PreloadError: One cannot be imported; the message ends with the traceback.
    """
    notes = []
    for name in names:
        began = time.perf_counter()
        with contextlib.redirect_stdout(sys.stderr), _no_apps(), _search_path_at_the_end():
            _load(name, setting)
        took = time.perf_counter() - began
        if took > _SLOW:
            notes.append(f"importing {name} took {took:.1f} s ({setting})")
    return tuple(notes)


def _load(name: str, setting: str) -> None:
    find_modules_of_the_project()
    try:
        if name.endswith(_PYTHON):
            _load_file(Path(name))
        else:
            import_named(name)
    except MissingModuleError as error:
        raise PreloadError(f"{setting}: {error}") from None
    except (Exception, SystemExit) as error:
        raise PreloadError(
            f"{setting}: {name} cannot be imported.\n{traceback.format_exc().rstrip()}"
        ) from error


def _load_file(path: Path) -> None:
    """Import a file under its own name, with the modules beside it, as Python starts a script."""
    folder, name = str(path.parent.resolve()), path.stem
    if folder not in sys.path:
        sys.path.append(folder)
    if name in sys.modules:
        place = getattr(sys.modules[name], "__file__", None)
        if place and Path(place).resolve() == path.resolve():
            return
        name = f"_orch_setup_{name}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise


@contextlib.contextmanager
def _search_path_at_the_end() -> Iterator[None]:
    """Move folders that modules put first on the search path behind those of before.

    What they need is imported by then; what orch imports later must not come from the project.
    """
    before = [*sys.path]
    try:
        yield
    finally:
        sys.path[:] = [*before, *(place for place in sys.path if place not in before)]


@contextlib.contextmanager
def _no_apps() -> Iterator[None]:
    """Keep the functions of ``@hydra.main`` from running, for files without a main guard."""
    before = hydra.main

    def main(*_args: object, **_options: object) -> Callable[[object], Callable[..., None]]:
        return lambda _function: lambda *_a, **_k: None

    hydra.main = main
    try:
        yield
    finally:
        hydra.main = before
