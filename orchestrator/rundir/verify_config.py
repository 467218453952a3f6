"""Verifies the config in a run directory against the planned config and the run ID.

A config is compared with the planned one before it is executed, and hashed wherever it is read: it
may have been edited, copied or written by another user.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from orchestrator.errors import IdentityError, RunDirectoryError
from orchestrator.grid.config_diff import find_differences
from orchestrator.grid.config_template import put
from orchestrator.grid.config_values import is_under, show
from orchestrator.grid.identity import canonical_form
from orchestrator.rundir import config_yaml, durable, records
from orchestrator.rundir.identity_file import (
    MOVE_AWAY,
    STAND_INS,
    read_identity,
    unusable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from orchestrator.grid.config_diff import Difference
    from orchestrator.grid.config_values import Value
    from orchestrator.grid.identity import Run

_MOST_KEYS: Final = 5
# The keys that may differ: where the results are, and under which name.
_PLACES: Final = ("results_dir", "experiment_id")
_FOLDER: Final = '"/<hydra:'  # begins the stand-in for a folder of the run
_SPECIAL: Final = re.compile(r"_\w+_", re.ASCII)  # _target_ and the like select code
_FROM_ENVIRONMENT: Final = re.compile(r'"\$\{oc\.env:(\w+)\}"')


def read_verified(config: Path, identity: Path) -> tuple[Mapping[str, Value], Mapping[str, Any]]:
    """Return a config that was checked, and what ``run.json`` says, which is empty if it is damaged.

    Raises:
        RunDirectoryError: The config is missing, damaged, or was changed since the run was created.
    """
    try:
        content = durable.read_file(config)
    except OSError as error:
        raise unusable(config, error) from None
    found = parse_config(content, config)
    try:
        known = read_identity(identity)
    except RunDirectoryError:
        return found, {}  # the state of the run says so
    check_own_config(content, found, known, config)
    return found, known


def parse_config(content: bytes, path: Path) -> Mapping[str, Value]:
    """Parse the content of ``config.yaml``.

    Raises:
        RunDirectoryError: It is not the config of a run.
    """
    try:
        return config_yaml.read(content)
    except ValueError as error:
        what = str(error).partition("\n")[0]
        raise RunDirectoryError(f"{path}: {records.brief(what)}. {MOVE_AWAY}") from None


def check_own_config(
    content: bytes, config: Mapping[str, Value], identity: Mapping[str, Any], path: Path
) -> None:
    """Check that a config is the one that its directory was created with.

    Directories of earlier versions do not record what was hashed, and interpolations of the
    environment cannot be hashed here: in these cases the hash of the text has to suffice.

    Raises:
        RunDirectoryError: It is another config.
    """
    check_text(content, identity, path)
    if not _has_planned_hash(content, config, identity):
        raise RunDirectoryError(f"{path}: its hash is not the run ID. {MOVE_AWAY}")


def check_written(content: bytes, identity: Mapping[str, Any]) -> None:
    """Check that the content of a new ``config.yaml`` reads as the config that was planned.

    Raises:
        IdentityError: It does not; results would be filed under the ID of another config.
    """
    if not _has_planned_hash(content, config_yaml.read(content), identity):
        raise IdentityError(
            f"run {identity['run_id']}: its config cannot be written to config.yaml so that it reads"
            " as what was planned. This is a bug; please report it with the config."
        )


def _has_planned_hash(
    content: bytes, config: Mapping[str, Value], identity: Mapping[str, Any]
) -> bool:
    """Return whether a config has the digest that ``run.json`` names, as far as that can be told."""
    exclude = identity.get("identity_exclude")
    if not isinstance(exclude, list) or b"${" in content:
        return True
    try:
        hashed = with_stand_ins(config, identity)
        digest = hashlib.sha256(canonical_form(hashed, list(map(str, exclude)))).hexdigest()
    except (IdentityError, RecursionError):
        return False
    return bool(digest == identity["digest"])


def with_stand_ins(config: Mapping[str, Value], identity: Mapping[str, Any]) -> Mapping[str, Value]:
    """Return a config as it was hashed: with stand-ins for what only its run has."""
    found = config
    items = identity.get(STAND_INS)
    for item in items if isinstance(items, list) else ():
        match item:
            case [list(path), value]:
                with suppress(KeyError, IndexError, TypeError):  # it is damaged: the hash says so
                    found = put(found, {tuple(path): value})
    return found


def check_text(content: bytes, identity: Mapping[str, Any], path: Path) -> None:
    """Check that a config is unchanged, if the directory records its hash.

    Raises:
        RunDirectoryError: It was edited.
    """
    found = hashlib.sha256(content).hexdigest()
    if identity.get("config_sha256", found) != found:
        raise RunDirectoryError(
            f"{path}: it was edited after the run was created. Undo the edit, or move this"
            " directory away to restart the run."
        )


def check_executed(
    content: bytes, identity: Mapping[str, Any], run: Run, exclude: Sequence[str], path: Path
) -> None:
    """Check that a directory belongs to a run, and that its config is the planned one.

    Raises:
        RunDirectoryError: It does not; the error names the differences.
    """
    if identity["digest"] != run.digest:
        differences = find_differences(parse_config(content, path), run.written)
        differs = describe(differences) or "its digest differs"
        raise RunDirectoryError(
            f"{path.parent}: it belongs to another config, {differs}. {MOVE_AWAY}"
        )
    check_text(content, identity, path)
    check_planned(content, run, exclude, path)


def check_planned(content: bytes, run: Run, exclude: Sequence[str], path: Path) -> None:
    """Check that a config is the planned one, before it is executed.

    Keys that are excluded from the identity may have other values, but not select other code.

    Raises:
        RunDirectoryError: It is another config; the error names the differences.
    """
    text = config_yaml.text_of(run)
    if content == text:
        return
    found, planned = parse_config(content, path), config_yaml.read(text)
    differences = _differences(found, planned, run)
    own = {it.key: hashed for it in differences if (hashed := _stand_ins_at(it.key, run))}
    _check_place([it for it in differences if _FOLDER in own.get(it.key, "")], path)
    foreign = [
        each
        for each in differences
        if not (is_under(each.key, exclude) or each.key in own)
        or any(map(_SPECIAL.fullmatch, each.key.split(".")))
    ]
    places = [key for key in _PLACES if isinstance(found.get(key), dict | list)]
    if foreign or places:
        told = describe(foreign) or f"{places[0]} is not a string there"
        raise RunDirectoryError(f"{path.parent}: it belongs to another config, {told}. {MOVE_AWAY}")


def _stand_ins_at(key: str, run: Run) -> str:
    """Return what was hashed at or below a key in place of what only this run has, as one string."""
    paths = {path: f"{'.'.join(map(str, path))}." for path in run.stand_ins}
    return " ".join(show(run.stand_ins[at]) for at in paths if paths[at].startswith(f"{key}."))


def _check_place(differences: Sequence[Difference], path: Path) -> None:
    """Check that a config names the directory in which it is, where it names its directory.

    Raises:
        RunDirectoryError: The directory was moved: its program would write to where it was.
    """
    here = str(path.parent.resolve())
    for each in differences:
        if here not in each.before:
            raise RunDirectoryError(
                f"{path.parent}: it was moved, and {each.key} in its config.yaml is still"
                f" {records.brief(each.before)}. Move it back, or move it away to restart the run."
            )


def _differences(
    found: Mapping[str, Value], planned: Mapping[str, Value], run: Run
) -> list[Difference]:
    """Return the differences, except secrets that only one of the two versions writes in clear."""
    in_clear = {each.key for each in find_differences(found, run.config)}
    differences = find_differences(found, planned)
    return [each for each in differences if each.key in in_clear and not _is_same_now(each)]


def _is_same_now(difference: Difference) -> bool:
    """Return whether a value is an interpolation of an environment variable with the planned value."""
    reference = _FROM_ENVIRONMENT.fullmatch(difference.before)
    return reference is not None and show(os.environ.get(reference[1])) == difference.now


def describe(differences: Sequence[Difference]) -> str:
    """Return in one clause the keys in which a config there differs from the one here."""
    named = [
        f"{records.brief(it.key)} is {records.brief(it.before)} there, {records.brief(it.now)} here"
        for it in differences[:_MOST_KEYS]
    ]
    rest = len(differences) - len(named)
    return "; ".join([*named, *([f"and {rest} more"] if rest else [])])
