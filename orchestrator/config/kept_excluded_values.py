"""The values of excluded keys that a run keeps: those of its ``config.yaml``, not those of now.

Keys that are not part of the run ID may have other values whenever the same run is planned. A program
that is started for a run directory gets the values that are recorded there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from orchestrator.config.overrides import as_override
from orchestrator.errors import RunDirectoryError
from orchestrator.grid.config_diff import leaves
from orchestrator.grid.config_values import same
from orchestrator.grid.interpolation_escapes import escape, unescape
from orchestrator.rundir.identity_file import read_identity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.grid.config_values import Value
    from orchestrator.grid.identity import Run
    from orchestrator.rundir.directory import RunDirectory

_KEY: Final = re.compile(r"[A-Za-z_$][\w$-]*(\.[\w$-]+)*", re.ASCII)
_REFERENCE: Final = re.compile(r"(?<!\\)(?:\\\\)*\$\{")


def with_kept_values(run: Run, directory: RunDirectory) -> Mapping[str, Value]:
    """Return the config of a run, in which excluded keys have the values of its directory, if it exists."""
    try:
        exclude = read_identity(directory.identity).get("identity_exclude")
        if not exclude or not isinstance(exclude, list):
            return run.config
        made = directory.read_config()
    except RunDirectoryError:
        return run.config
    excluded = frozenset(map(str, exclude))
    return cast("dict[str, Value]", _keep(dict(run.config), dict(made), excluded))


def spell_kept_values(config: Mapping[str, Value], kept: Mapping[str, Value]) -> Iterator[str]:
    """Yield the overrides that turn one config into the other, in Hydra's grammar.

    Keys for which that grammar has no form are left as they are.
    """
    if config is kept:
        return
    now, then = (
        {k: v for k, v in leaves(it).items() if _KEY.fullmatch(k)} for it in (config, kept)
    )
    for key, value in now.items():
        if key not in then and not any(other.startswith(f"{key}.") for other in then):
            if value is None:  # which Hydra refuses to remove
                yield f"++{key}=0"
            yield f"~{key}"
    for key, value in then.items():
        if key not in now or not same(now[key], value):
            yield as_override(f"++{key}", escape(value))


def _keep(now: Value, made: Value, exclude: frozenset[str], path: str = "") -> Value:
    match now, made:
        case Mapping(), Mapping():
            prefix = f"{path}." if path else ""
            kept = {}
            for key in (*now, *(key for key in made if key not in now)):
                at = f"{prefix}{key}"
                if at not in exclude:
                    if key in now:
                        kept[key] = _keep(now[key], made.get(key), exclude, at)
                elif key in made:
                    kept[key] = _read(made[key], now.get(key))
            return kept
        case list(), list() if len(now) == len(made):
            pairs = enumerate(zip(now, made, strict=True))
            return [_keep(one, other, exclude, f"{path}[{at}]") for at, (one, other) in pairs]
        case _:
            return now


def _read(written: Value, now: Value) -> Value:
    """Return a value as it was before it was written; one that refers to a variable has that of now."""
    match written:
        case str():
            return now if _REFERENCE.search(written) else unescape(written)
        case Mapping():
            others = now if isinstance(now, Mapping) else {}
            return {key: _read(item, others.get(key)) for key, item in written.items()}
        case list():
            items = now if isinstance(now, list) and len(now) == len(written) else written
            return [_read(item, other) for item, other in zip(written, items, strict=True)]
        case _:
            return written
