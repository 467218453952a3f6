"""Compares the config that a Hydra program composed for itself with the config of its run.

Hydra leaves it in ``.hydra/config.yaml`` of its output folder, or in the subfolder that
``hydra.output_subdir`` names, on the command line or in a config, with interpolations. What cannot be
resolved here, such as a resolver of the program's own, is not compared.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from orchestrator.errors import RunDirectoryError
from orchestrator.grid.config_diff import leaves
from orchestrator.grid.config_values import same, show
from orchestrator.rundir import config_yaml, durable, records
from orchestrator.rundir.identity_file import read_identity
from orchestrator.rundir.status_file import STATUS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from orchestrator.grid.config_values import Value
    from orchestrator.rundir.directory import RunDirectory

OUTPUT: Final = "output"
_SUBDIR: Final = ".hydra"
_COMPOSED: Final = "config.yaml"
_SETTINGS: Final = "hydra.yaml"
_MOST_ENTRIES: Final = 1000  # of an output folder
_MOST_KEYS: Final = 5
_SETTING: Final = re.compile(
    r"\+{0,2}hydra\.(run\.dir|output_subdir)=(?:'(.*)'|\"(.*)\"|(.*))", re.DOTALL
)
_UNKNOWN: Final = object()


def find_mismatch(directory: RunDirectory, arguments: Sequence[str]) -> str:
    """Return in one line how the config that a program composed differs from its run's; or "".

    A file that is older than the attempt, too large or not a config does not count.

    Args:
        directory: The run directory, by its absolute path without links.
        arguments: The arguments of the program, which may name its output folder and the subfolder.
    """
    for folder in dict.fromkeys(_folders(directory.path, arguments)):
        path = folder / _COMPOSED
        try:
            if path.stat().st_mtime_ns < (directory.path / STATUS).stat().st_mtime_ns:
                continue  # the status was written when the attempt began
            composed = _resolve(durable.read_file(path))
            own = _resolve(durable.read_file(directory.config))
        except (OSError, ValueError):
            continue
        found = list(_differences(composed, own, _excluded(directory)))
        if found:
            rest = len(found) - _MOST_KEYS
            more = [f"and {rest} more"] if rest > 0 else []
            told = "; ".join([*found[:_MOST_KEYS], *more])
            return f"the program composed another config ({_shown(path, directory)}): {told}"
    return ""


def _folders(run_dir: Path, arguments: Iterable[str]) -> Iterator[Path]:
    """Yield the folders in which Hydra leaves the config of a program, if it uses Hydra."""
    outputs, subdirs = [run_dir, run_dir / OUTPUT], [_SUBDIR]
    for argument in arguments:
        if found := _SETTING.fullmatch(argument):
            quoted = found[2] if found[2] is not None else found[3]
            value = found[4] if quoted is None else re.sub(r"\\(['\"\\])", r"\1", quoted)
            if found[1] == "output_subdir":
                subdirs.append(value)
            else:
                outputs.append(Path(value))
    for output in outputs:
        yield from (output / subdir for subdir in subdirs)
        with suppress(OSError), os.scandir(output) as entries:
            some = [entry.path for entry in islice(entries, _MOST_ENTRIES) if entry.is_dir()]
            yield from (Path(path) for path in some if _is_of_output(path, output))


def _is_of_output(folder: str, output: Path) -> bool:
    """Return whether Hydra has left a folder in this output folder: it may be a copy from another one."""
    with suppress(OSError):
        settings = durable.read_file(f"{folder}/{_SETTINGS}").decode(errors="replace")
        return f"output_dir: {output.absolute()}\n" in settings
    return False


def _excluded(directory: RunDirectory) -> list[str]:
    """Return the keys that are not part of the identity of a run; without a record, none."""
    try:
        found = read_identity(directory.identity).get("identity_exclude")
    except RunDirectoryError:
        return []
    return list(map(str, found)) if isinstance(found, list) else []


def _shown(path: Path, directory: RunDirectory) -> str:
    run_dir = directory.path
    return str(path.relative_to(run_dir) if path.is_relative_to(run_dir) else path)


def _resolve(content: bytes) -> dict[str, object]:
    """Return a config in which every interpolation that can be resolved here is resolved.

    Raises:
        ValueError: It is not a config.
    """
    from omegaconf import OmegaConf  # noqa: PLC0415 # only for programs that use Hydra

    cfg = OmegaConf.create(dict(config_yaml.read(content, any_values=True)))
    return cast("dict[str, object]", _plain(cfg))


def _plain(container: Any) -> object:  # noqa: ANN401 # a container of OmegaConf's
    from omegaconf import Container, DictConfig, OmegaConf  # noqa: PLC0415 # as above
    from omegaconf.errors import OmegaConfBaseException  # noqa: PLC0415

    def value(key: Any) -> object:  # noqa: ANN401 # a key or a place
        if OmegaConf.is_missing(container, key):
            return "???"
        try:
            found = container[key]
        except (OmegaConfBaseException, RecursionError, ValueError):
            return _UNKNOWN
        return _plain(found) if isinstance(found, Container) else found

    if isinstance(container, DictConfig):
        return {str(key): value(key) for key in container.keys()}  # noqa: SIM118 # also missing ones
    return [value(place) for place in range(len(container))]


def _differences(
    composed: Mapping[str, object], own: Mapping[str, object], exclude: Sequence[str]
) -> Iterator[str]:
    """Yield a clause for each key that is part of the run ID and has another value, or only one."""
    theirs = leaves(cast("Mapping[str, Value]", composed), exclude)
    ours = leaves(cast("Mapping[str, Value]", own), exclude)
    for key in dict.fromkeys((*theirs, *ours)):
        shown = records.brief(key)
        if key not in ours:
            if not (theirs[key] is _UNKNOWN or _is_unknown_above(key, own)):
                yield f"{shown} is only there"
        elif key not in theirs:
            if not (ours[key] is _UNKNOWN or _is_unknown_above(key, composed)):
                yield f"{shown} is only in the run's config, {records.brief(show(ours[key]))}"
        elif not _agree(theirs[key], ours[key]):
            values = [records.brief(show(each[key])) for each in (theirs, ours)]
            yield f"{shown} is {values[0]} there, {values[1]} in the run's config"


def _agree(one: object, other: object) -> bool:
    """Return whether two values are equal, as far as they are known."""
    if one is _UNKNOWN or other is _UNKNOWN:
        return True
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_agree, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_agree(one[key], other[key]) for key in one)
    return same(one, other) or (isinstance(one, Path) and same(str(one), other))


def _is_unknown_above(key: str, config: Mapping[str, object]) -> bool:
    """Return whether a key lies within a mapping that is not known."""
    node: object = config
    for step in key.split("."):
        if not isinstance(node, dict) or step not in node:
            return node is _UNKNOWN
        node = node[step]
    return node is _UNKNOWN
