"""The runs of an experiment, for notebooks and scripts: as a list, and as tables of pandas."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orch.loaded_run import LoadedRun
from orch.run_dir_reader import is_run_id, leaves_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    import pandas as pd

_MOST_NAMED = 5
_NOT_COMPARED = ("results_dir", "experiment_id")


class LoadedGrid:
    """The runs of an experiment.

    Args:
        path: The folder with the run directories.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        #: The runs, in the order of their IDs.
        self.runs = [LoadedRun(entry) for entry in sorted(path.iterdir()) if is_run_id(entry.name)]

    def __repr__(self) -> str:
        """Return the folder and the number of runs."""
        return f"<grid {self.path}: {len(self.runs)} runs>"

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self.runs)

    def __iter__(self) -> Iterator[LoadedRun]:
        """Yield the runs."""
        return iter(self.runs)

    def __getitem__(self, run_id: str) -> LoadedRun:
        """Return the run whose ID begins like this.

        Raises:
            KeyError: There is none, or there are several.
            TypeError: It is not a string.
        """
        if not isinstance(run_id, str):
            raise TypeError(
                f"grid[{run_id!r}]: a run is found by how its ID begins. Their list is grid.runs."
            )
        found = [run for run in self.runs if run.id.startswith(run_id)]
        if len(found) == 1:
            return found[0]
        shown = found or self.runs
        ids = ", ".join(run.id for run in shown[:_MOST_NAMED])
        more = f" and {len(shown) - _MOST_NAMED} more" if len(shown) > _MOST_NAMED else ""
        told = f"{len(found)}" if found else f"none of the {len(self.runs)}"
        raise KeyError(f"{told} run IDs start with {run_id!r}: there are {ids or 'no runs'}{more}")

    def frame(self) -> pd.DataFrame:
        """Return one row per run, by run ID: state, the keys in which configs differ, and metrics.

        Lists and mappings in configs are columns per element, as ``model.hidden`` or ``sizes.0``. A config
        group such as ``model`` is a column, too, if all runs record their choice, and it is another name for
        how the keys below it differ. A key with the name of a metric gets ``config.`` in front. Of a run whose config
        cannot be read, these columns are empty.

        Raises:
            ModuleNotFoundError: pandas or PyYAML is not installed.
        """
        configs = [run.read_config_or_none() for run in self.runs]
        leaves = [dict(leaves_of(config)) if config else {} for config in configs]
        differing = _differing([each for each in leaves if each])
        taken = {"state", "iteration", *(metric for run in self.runs for metric in run.metrics)}
        names = {key: f"config.{key}" if key in taken else key for key in differing}
        groups = _differing_groups(self.runs, leaves, differing)
        groups = [group for group in groups if not any(group in each for each in (taken, *leaves))]
        rows = [
            {
                "state": run.state,
                **{group: run.choices[group] for group in groups},
                **{names[key]: leaves[place].get(key) for key in differing},
                "iteration": run.iteration,
                **run.metrics,
            }
            for place, run in enumerate(self.runs)
        ]
        index = import_module("pandas").Index([run.id for run in self.runs], name="run_id")
        frame: pd.DataFrame = import_module("pandas").DataFrame(rows, index=index)
        return frame

    def curves(self) -> pd.DataFrame:
        """Return all points of all runs: ``run_id``, ``key``, ``step``, ``value``, ``timestamp`` (ms).

        ``grid.curves().merge(grid.frame(), on="run_id")`` has the configs beside them.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        columns: dict[str, list[Any]] = {
            name: [] for name in ("run_id", "key", "step", "value", "timestamp")
        }
        for run in self.runs:
            if points := run.read_points():
                of_run = [run.id] * len(points), *zip(*points, strict=True)
                for column, values in zip(columns.values(), of_run, strict=True):
                    column.extend(values)
        frame: pd.DataFrame = import_module("pandas").DataFrame(columns)
        return frame


def _differing(leaves: list[dict[str, Any]]) -> list[str]:
    """Return the keys that not all of these configs have with the same value."""
    values: dict[str, set[str]] = {}
    for each in leaves:
        for key, value in each.items():
            values.setdefault(key, set()).add(repr(value))
    everywhere = set.intersection(*map(set, leaves)) if leaves else set()
    return [
        key
        for key, found in values.items()
        if (len(found) > 1 or key not in everywhere) and key not in _NOT_COMPARED
    ]


def _differing_groups(
    runs: list[LoadedRun], leaves: list[dict[str, Any]], differing: list[str]
) -> list[str]:
    """Return the config groups whose choices are another name for how the keys below them differ."""
    known = set.intersection(*(set(run.choices) for run in runs)) if runs else set()
    found = []
    for group in runs[0].choices if runs else ():
        keys = [key for key in differing if key.startswith(f"{group.replace('/', '.')}.")]
        if group in known:
            pairs = {
                (repr(run.choices[group]), repr([values.get(key) for key in keys]))
                for run, values in zip(runs, leaves, strict=True)
            }
            choices, configs = ({pair[at] for pair in pairs} for at in (0, 1))
            if len(choices) == len(pairs) == len(configs) > 1:
                found.append(group)
    return found


def _last_change(folder: Path) -> float:
    return (folder / "training").stat().st_mtime


def load_grid(path: str | os.PathLike[str]) -> LoadedGrid:
    """Load the runs of an experiment; see `orch.load`."""
    folder = Path(path)
    inside = folder / "training"
    if inside.is_dir():
        return LoadedGrid(inside)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: there is no such folder. Name one like results/digits.")
    if not any(is_run_id(entry.name) for entry in folder.iterdir()):
        others = sorted(
            (it.parent for it in folder.glob("*/training")), key=_last_change, reverse=True
        )
        if others:
            names = ", ".join(map(str, others[:_MOST_NAMED]))
            more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
            raise ValueError(f"{folder}: name one of the experiments in it: {names}{more}.")
        raise ValueError(f"{folder}: it has no runs. Name a folder like results/digits.")
    return LoadedGrid(folder)
