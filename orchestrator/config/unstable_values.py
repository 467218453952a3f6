"""Unstable values: what would give a run another ID each time, or in each grid."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from omegaconf import OmegaConf

from orchestrator.config.outside_reads import (
    TIME,
    flaw_of,
    mark_of,
    marks_in,
    watch_resolvers,
)
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from omegaconf import DictConfig

    from orchestrator.grid.config_template import Path

_PLACES: Final = ("results_dir", "experiment_id")
# What a value contains, by its mark, and what to write instead.
_UNSTABLE: Final[Mapping[str, tuple[str, str]]] = {
    TIME: ("contains the time (${now:...})", "Remove it"),
    mark_of("job.num"): (
        "contains the number of a job (${hydra:job.num})",
        "Write ${oc.env:ORCH_RUN_ID,0}, a run's ID",
    ),
    mark_of("job.id"): (
        "contains the ID of a job (${hydra:job.id})",
        "Write ${oc.env:ORCH_RUN_ID,0}, a run's ID",
    ),
}


def refuse_unstable(cfg: DictConfig, leaves: Iterable[tuple[Path, Sequence[str]]]) -> None:
    """Reject values that differ each time, unless they are excluded from the run ID.

    Args:
        cfg: The composed config.
        leaves: The paths of its values, with the marks of what they read.

    Raises:
        ConfigError: One is part of the run ID, or of the place of the results.
    """
    for path, marks in leaves:
        for mark in marks:
            if found := _describe(mark, is_place=path[0] in _PLACES):
                _refuse(cfg, path, *found)


def refuse_unstable_places(cfg: DictConfig) -> None:
    """Reject a place of the results that differs each time, also for commands that only read.

    Raises:
        ConfigError: There is one.
        OmegaConfBaseException: It cannot be resolved.
    """
    with watch_resolvers() as asked:
        for key in _PLACES:
            asked.clear()
            OmegaConf.select(cfg, key)
            refuse_unstable(cfg, [((key,), marks_in(asked))])


@contextmanager
def refusing_unstable_grid() -> Iterator[None]:
    """Reject a grid that reads what differs each time, since it is resolved before there are runs.

    Raises:
        ConfigError: The block resolved such a value.
    """
    with watch_resolvers() as asked:
        yield
    for mark in marks_in(asked):
        if found := _describe(mark, is_place=False):
            raise ConfigError(
                f"the grid {found[0]}, so each orch run would create new runs and resume none."
                " Remove it."
            )


def _describe(mark: str, *, is_place: bool) -> tuple[str, str] | None:
    """Return what a value contains, and what to do; None if that may be."""
    if flaw := flaw_of(mark):
        resolver, why = flaw
        return f"calls the resolver {resolver}, which {why}", "Remove it"
    if is_place and mark not in _UNSTABLE:
        return f"contains ${{{mark[1:]}}}, which each run has for itself", "Remove it"
    return _UNSTABLE.get(mark)


def _refuse(cfg: DictConfig, path: Path, what: str, instead: str) -> None:
    keys = [".".join(map(str, path[: depth + 1])) for depth in range(len(path))]
    if path[0] in _PLACES:
        raise ConfigError(
            f"{keys[-1]} {what}, so each orch run would restart all runs in another folder. Write a"
            " constant name."
        )
    exclude = OmegaConf.select(cfg, "orch.identity.exclude") or ()
    if not any(key in exclude for key in keys):
        raise ConfigError(
            f"{keys[-1]} {what}, so each orch run would create new runs and resume none. {instead},"
            f" or exclude it: orch.identity.exclude=[{keys[-1]}]."
        )
