"""The Python files of the user's project that a run executes, and their digests.

They are the scripts that a command names and what these import, or the modules that a process has
imported. They lie below the working directory; installed packages and the packages of this project,
whose numbers have a version of their own, do not count.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import sys
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from orchestrator.rundir import code_record, durable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Stamp: TypeAlias = "tuple[int, int] | None"  # when a file was modified, and its size

_DIGITS: Final = 16
_MOST: Final = 500  # files
_LARGEST: Final = 1_000_000
_WORD: Final = re.compile(r"[^\s'\"=;&|()<>]+")
_SCRIPT: Final = re.compile(r".+\.(?:py|sh)\b")
_MODULE: Final = re.compile(r"[A-Za-z_][\w.]*")
_IMPORT: Final = re.compile(
    rb"^[ \t]*(?:from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]*(\([^)]*\)|[^#\n;]*)|import[ \t]+([^#\n;]+))",
    re.MULTILINE,
)
_NAME: Final = re.compile(rb"[\w.]+(?:\s+as\s+\w+)?")
_INSTALLED: Final = ("/site-packages/", "/dist-packages/")
_HERE: Final = Path(__file__).resolve().parents[2]
_OURS: Final = tuple(f"{_HERE}/{name}/" for name in ("orch", "orchestrator", "trainer"))
# The digests of what this process had imported when it was ready to be forked, and the name of the
# last module of all then.
_preloaded: dict[str, str] = {}
_last_preloaded: list[str] = []


@cache
def _digest(path: str, _modified: int, _size: int) -> tuple[str, bytes]:
    content = durable.read_tail(path, _LARGEST)
    return hashlib.sha256(content).hexdigest()[:_DIGITS], content


def digest(path: str) -> str | None:
    """Return the digest of a file, read once per change of it; None if it cannot be read."""
    with suppress(OSError):
        if stamp := _stamp(path):
            return _digest(path, *stamp)[0]
    return None


# What was found for a command's scripts, by them: each file, with its time and size then.
_closures: dict[tuple[str, ...], Mapping[str, Stamp]] = {}


def digests_of(
    command: Sequence[str], folder: str, besides: str, objects: Iterable[str] = ()
) -> dict[str, str]:
    """Return the digests of the scripts that a command names, and of what they import, by path.

    What is imported is looked up again only if one of the files has changed.

    Args:
        command: The command.
        folder: Its working directory, which paths are relative to.
        besides: The run directory: what is in it is not code.
        objects: Dotted names of classes or functions that the program looks up in its config.
    """
    modules = _ModuleFinder()
    files = (path for name in sorted(set(objects)) for path in modules.files_of(name, (folder,)))
    named = [*_named(command, folder), *files]
    scripts = tuple(path for path in named if not path.startswith(f"{besides}/"))
    known = _closures.get(scripts)
    if known is None or any(_stamp(path) != stamp for path, stamp in known.items()):
        known = _closures[scripts] = _find_closure(scripts, folder)
    found = {os.path.relpath(path, folder): digest(path) for path in known}
    return {name: made for name, made in found.items() if made}


def _stamp(path: str) -> Stamp:
    try:
        found = os.stat(path)  # noqa: PTH116 # called for every file of every run
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _find_closure(scripts: Sequence[str], folder: str) -> Mapping[str, Stamp]:
    """Return the scripts and the files that they import, directly or not, with their stamps."""
    modules = _ModuleFinder()
    above = {os.path.dirname(path) for path in scripts}  # noqa: PTH120 # on strings throughout
    roots = (folder, *sorted(above - {folder}))
    found: dict[str, Stamp] = {}
    waiting = list(scripts)
    while waiting and len(found) < _MOST:
        path = waiting.pop()
        stamp = _stamp(path)
        if path in found or stamp is None or not _counts(path, roots):
            continue
        found[path] = stamp
        if path.endswith(".py"):
            with suppress(OSError):
                waiting += modules.imported_by(path, _digest(path, *stamp)[1], roots)
    return found


def _named(command: Sequence[str], folder: str) -> Iterator[str]:
    """Yield the existing scripts in the arguments of a command, and the module after ``-m``."""
    modules = _ModuleFinder()
    for before, argument in zip(("", *command), command, strict=False):
        if before == "-m" and _MODULE.fullmatch(argument):
            yield from modules.files_of(argument, (folder,))
            yield from modules.files_of(f"{argument}.__main__", (folder,))
        for match in filter(None, map(_SCRIPT.match, _WORD.findall(argument))):
            path = os.path.normpath(os.path.join(folder, match[0]))  # noqa: PTH118 # as above
            if os.path.isfile(path):  # noqa: PTH113 # as above
                yield path


@cache
def _names_in(content: bytes) -> tuple[tuple[int, str, tuple[str, ...]], ...]:
    """Return what a module imports: the dots before it, its name, and the names from it."""
    found = []
    for dots, base, names, modules in _IMPORT.findall(content):
        listed = [word.split()[0].decode() for word in _NAME.findall(names or modules)]
        if modules:
            found += [(0, each, ()) for each in listed]
        else:
            found.append((len(dots), base.decode(), tuple(listed)))
    return tuple(found)


class _ModuleFinder:
    """Finds the files of modules; each folder is listed once."""

    def __init__(self) -> None:
        self._listed: dict[str, frozenset[str]] = {}

    def imported_by(self, path: str, content: bytes, roots: Sequence[str]) -> Iterator[str]:
        """Yield the files of the modules that a file imports."""
        for dots, base, names in _names_in(content):
            above = roots
            if dots:
                folder = path
                for _ in range(dots):
                    folder = os.path.dirname(folder)  # noqa: PTH120 # as above
                above = (folder,)
            for module in (base, *(f"{base}.{name}".lstrip(".") for name in names)):
                yield from self.files_of(module, above)

    def files_of(self, module: str, roots: Iterable[str]) -> Iterator[str]:
        """Yield the files of a module and of the packages above it, if they are there."""
        for root in roots:
            folder = root
            for part in filter(None, module.split(".")):
                names = self._names(folder)
                if f"{part}.py" in names:
                    yield f"{folder}/{part}.py"
                if part not in names:
                    break
                folder = f"{folder}/{part}"
                if "__init__.py" in self._names(folder):
                    yield f"{folder}/__init__.py"

    def _names(self, folder: str) -> frozenset[str]:
        if folder not in self._listed:
            names: list[str] = []
            with suppress(OSError):
                names = os.listdir(folder)  # noqa: PTH208 # as above
            self._listed[folder] = frozenset(names)
        return self._listed[folder]


def _counts(path: str, roots: Iterable[str]) -> bool:
    if any(part in path for part in _INSTALLED) or path.startswith(_OURS):
        return False
    installed = (f"{sys.prefix}/", f"{sys.base_prefix}/")
    if any(path.startswith(each) and f"{root}/" != each for each in installed for root in roots):
        return False
    return any(path.startswith(f"{root}/") for root in roots)


def new_modules() -> list[str]:
    """Return the names of the modules that were imported since the fork, newest first."""
    # Up to what was there before: only to look at a module writes to its reference count, and the
    # fork would get a copy of that page of memory.
    new = itertools.takewhile(lambda name: name not in _last_preloaded, reversed(sys.modules))
    return list(new)


def imported(folder: str) -> Iterator[str]:
    """Yield the files of the project that this process has imported since it was forked."""
    prefix = f"{folder}/"
    for module in [sys.modules[name] for name in new_modules()]:
        path = getattr(module, "__dict__", {}).get("__file__")
        if path.__class__ is str and path.startswith(prefix) and _counts(path, (folder,)):
            yield path


def note_preloaded() -> None:
    """Keep the digests of what this process has imported, for all of its forks."""
    folder = os.getcwd()  # noqa: PTH109 # as above
    for path in imported(folder):
        if found := digest(path):
            _preloaded[os.path.relpath(path, folder)] = found
    _last_preloaded[:] = [*sys.modules][-1:]


def preloaded() -> Mapping[str, str]:
    """Return the digests of what was imported before this process was forked, by path."""
    return _preloaded


class ImportedFiles:
    """What a program imports, from its start on, recorded at its end."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._run_dir = environment.get("ORCH_RUN_DIR", "")
        self._attempt = environment.get("ORCH_ATTEMPT", "")
        self._folder = os.getcwd()  # noqa: PTH109 # as above
        self._began = time.time_ns()

    def record(self) -> None:
        """Add them to the record of the attempt; one that was edited meanwhile has no digest."""
        files: dict[str, str | None] = {}
        for path in imported(self._folder):
            name = os.path.relpath(path, self._folder)
            if name in _preloaded or len(files) == _MOST:
                continue
            stamp = _stamp(path)
            files[name] = digest(path) if stamp and stamp[0] < self._began else None
        if self._run_dir and self._attempt.isdecimal():
            code_record.add_files(Path(self._run_dir), int(self._attempt), files)
