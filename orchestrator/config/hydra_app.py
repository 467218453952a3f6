"""A Hydra app: a program with a ``@hydra.main`` function, and what that says of its config.

The source is parsed, never executed: importing a training script may take seconds, or train.
"""

from __future__ import annotations

import ast
import importlib.machinery
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from orchestrator.config.source_constants import NotConstantError, SourceConstants
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

_PARAMETERS: Final = ("config_path", "config_name", "version_base")
_PACKAGE: Final = "pkg://"
_CONFIG_IN_PYTHON: Final = 1, 2  # from this version_base on, no config_path means no folder
_OLDEST: Final = "1.1"  # what Hydra assumes for an app without version_base


@dataclass(frozen=True, slots=True)
class HydraApp:
    """A program with a ``@hydra.main`` function.

    ``config_dir`` is None if its configs are defined in Python only, ``config_name`` None if it has
    none. ``unknown`` tells by parameter what could not be read from the source. ``no_function``
    is why it cannot be imported and called, if so.
    """

    file: Path
    config_dir: Path | None
    config_name: str | None
    version_base: str | None
    unknown: tuple[tuple[str, str], ...] = ()
    no_function: str = ""

    @property
    def name(self) -> str:
        """The name of the program, without folder and extension."""
        return self.file.parent.name if self.file.stem == "__main__" else self.file.stem


def find_app(program: str, config_name: str | None = None) -> HydraApp:
    """Return the app that a file ``train.py`` or a module ``package.module`` is.

    If it has several, it is the one with the given primary config.

    Raises:
        ConfigError: There is no such file or module, or it has no ``@hydra.main`` function.
    """
    file = _find_file(program)
    apps = list(_read(file).values())
    if not apps:
        raise ConfigError(
            f"{program} has no @hydra.main function, so it is not a Hydra app."
            " Name it in orch.command instead, with a config folder of its own."
        )
    name = (config_name or "").removesuffix(".yaml")
    chosen = [app for app in apps if (app.config_name or "").removesuffix(".yaml") == name]
    if len(apps) > 1 and (not name or len(chosen) != 1):
        raise ConfigError(
            f"{program} has {len(apps)} @hydra.main functions. Choose the one that it starts, by its"
            " config: --config-name; or in place of --app orch.entry_point=module:function, with"
            " --config-dir and --config-name."
        )
    return chosen[0] if len(apps) > 1 else apps[0]


def find_app_function(entry_point: str) -> HydraApp | None:
    """Return the app that a function ``package.module:function`` is; None if it is another function.

    Raises:
        ConfigError: It is an app only where its file is executed.
    """
    module, _, function = entry_point.partition(":")
    file = _find_module(module, [*sys.path, str(Path.cwd())])
    if file is None:
        return None
    try:
        app = _read(file).get(function)
    except ConfigError:  # loading it reports the error
        return None
    if app and app.no_function:
        raise ConfigError(
            f"orch.entry_point: {entry_point} {app.no_function}, or name the file in orch.app in place"
            " of the function."
        )
    return app


def start_command(program: str) -> tuple[str, ...]:
    """Return the command that starts an app, with the interpreter that the user would start."""
    if program.endswith(".py") or Path(program).is_file():
        return _interpreter(), program
    return _interpreter(), "-m", program


def _interpreter() -> str:
    """Return ``python`` of the active environment, or else the interpreter that runs this."""
    is_active = any(os.environ.get(name) for name in ("VIRTUAL_ENV", "CONDA_PREFIX"))
    return "python" if is_active else sys.executable


def _find_file(program: str) -> Path:
    path = Path(program)
    if path.is_file():
        return path
    is_module = not program.endswith(".py") and all(map(str.isidentifier, program.split(".")))
    file = _find_module(program, [str(Path.cwd()), *sys.path]) if is_module else None
    if file is None:
        kind = "module" if is_module else "file"
        raise ConfigError(
            f"orch.app: there is no {kind} {program!r} in {Path.cwd()}."
            " Name the program as train.py or package.module."
        )
    return file


def _find_module(module: str, folders: Sequence[str]) -> Path | None:
    """Return the source of a module, also the one that ``-m`` runs for a package.

    Packages above it are not imported.
    """
    places: Sequence[str] | None = folders
    spec = None
    for step in module.split("."):
        if places is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(step, places)
        if spec is None:
            return None
        found = spec.submodule_search_locations
        places = None if found is None else list(found)
    if places is not None:
        mains = (Path(place, "__main__.py") for place in places)
        return next((main for main in mains if main.is_file()), None)
    origin = spec.origin if spec else None
    return Path(origin) if origin and origin.endswith(".py") else None


def _read(file: Path) -> dict[str, HydraApp]:
    """Return the apps in a file by the names of their functions.

    Raises:
        ConfigError: The file cannot be read or parsed.
    """
    try:
        tree = ast.parse(file.read_bytes(), str(file))
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}. Name another file.") from None
    except (SyntaxError, ValueError) as error:
        where = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise ConfigError(f"{file}{where}: it is not Python ({error}). Correct it.") from None
    constants = SourceConstants(tree, file)
    found = ((_describe(call, file, constants), name, call) for name, call in _find_calls(tree))
    return {
        name: replace(app, no_function=_find_obstacle(tree, name, call, file.name))
        for app, name, call in found
    }


def _find_calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Yield the calls of ``hydra.main`` with the names of the functions that they make apps."""
    names = frozenset(_names_of_main(tree))
    assigned = set()
    for node in ast.walk(tree):  # what is assigned comes before its value
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                if _is_call_of(names, decorator):
                    yield node.name, cast("ast.Call", decorator)
        elif isinstance(node, ast.Assign) and _is_app(
            names, node.value
        ):  # app = hydra.main(...)(main)
            assigned.add(node.value)
            yield ast.unparse(node.targets[0]), cast("Any", node.value).func
        elif _is_app(names, node) and node not in assigned:  # hydra.main(...)(main)()
            call = cast("ast.Call", node)
            yield ast.unparse(call.args[0]) if call.args else "", cast("ast.Call", call.func)


def _find_obstacle(tree: ast.Module, name: str, call: ast.Call, file: str) -> str:
    """Say why an app cannot be imported and called, and what to change; empty if it can."""
    is_known = False
    for node in _find_statements(tree.body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            is_known |= call in node.decorator_list
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            is_known |= node.value.func is call
        elif isinstance(node, ast.Expr) and ast.unparse(node.value).startswith(f"{name}("):
            return (
                f"is called in line {node.lineno} whenever {file} is imported. Put that line under"
                ' if __name__ == "__main__":'
            )
    place = f"line {call.lineno} of {file}"
    return "" if is_known else f"becomes an app in {place} only. Decorate it with @hydra.main"


def _find_statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that may be executed when a module is imported."""
    for node in body:
        yield node
        is_guard = isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)
        if isinstance(node, ast.If | ast.Try | ast.With) and not is_guard:
            for part in ("body", "orelse", "finalbody"):
                yield from _find_statements(getattr(node, part, []))


def _is_app(names: Container[str], node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _is_call_of(names, node.func)


def _is_call_of(names: Container[str], node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in names


def _names_of_main(tree: ast.Module) -> Iterator[str]:
    """Yield the names by which a file may call ``hydra.main``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == "hydra" or (alias.name.startswith("hydra.") and not alias.asname):
                    yield f"{alias.asname or 'hydra'}.main"
        elif isinstance(node, ast.ImportFrom) and node.module in ("hydra", "hydra.main"):
            for alias in node.names:
                if alias.name == "main":
                    yield alias.asname or alias.name


def _describe(call: ast.Call, file: Path, constants: SourceConstants) -> HydraApp:
    """Return what a call of ``hydra.main`` says."""
    unknown: dict[str, str] = {}
    given = dict(zip(_PARAMETERS, call.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}
    is_open = any(isinstance(argument, ast.Starred) for argument in call.args)
    if is_open or any(keyword.arg is None for keyword in call.keywords):
        unknown = dict.fromkeys(_PARAMETERS, _say_unknown(file, call, "its arguments are"))
    values: dict[str, str | None] = {}
    for name, argument in given.items():
        try:
            value = constants.evaluate(argument)
        except NotConstantError:
            unknown[name] = _say_unknown(file, argument, f"{name} is")
        else:
            values[name] = None if value is None else str(value)
    version_base = values.get("version_base", None if "version_base" in unknown else _OLDEST)
    if "config_path" not in values:
        values["config_path"] = "." if _has_folder(version_base) else None
    config_dir = None if "config_path" in unknown else _folder(values["config_path"], file)
    return HydraApp(
        file, config_dir, values.get("config_name"), version_base, tuple(unknown.items())
    )


def _say_unknown(file: Path, node: ast.expr, what: str) -> str:
    return (
        f"{file}, line {node.lineno}: {what} not a constant in @hydra.main, so it cannot be read"
        " without executing the file"
    )


def _has_folder(version_base: str | None) -> bool:
    """Return whether an app without ``config_path`` reads configs from its own folder."""
    if version_base is None:
        return False
    parts = version_base.split(".")
    numbers = tuple(int(part) for part in parts if part.isdecimal())
    return numbers[:2] < _CONFIG_IN_PYTHON


def _folder(config_path: str | None, file: Path) -> Path | None:
    """Return the config folder that Hydra finds for a ``config_path``.

    Raises:
        ConfigError: It is in a package that is not there.
    """
    if config_path is None:
        return None
    if not config_path.startswith(_PACKAGE):
        return Path(os.path.normpath(Path(os.path.realpath(file.parent), config_path)))
    steps = config_path.removeprefix(_PACKAGE).replace("/", ".").strip(".").split(".")
    places = [str(Path.cwd()), str(file.parent), *sys.path]
    spec = importlib.machinery.PathFinder.find_spec(steps[0], places)
    found = list(spec.submodule_search_locations or ()) if spec else []
    folders = (Path(place, *steps[1:]) for place in found)
    folder = next((each for each in folders if each.is_dir()), None)
    if folder is None:
        raise ConfigError(
            f"{file}: there is no package for config_path {config_path!r}."
            " Give the config folder with --config-dir."
        )
    return folder
