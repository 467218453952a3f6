"""The former runs of an experiment, which its grid no longer names, compared with the grid."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from orchestrator.errors import ConfigError, RunDirectoryError
from orchestrator.planning.grid_changes import Changes, EarlierRun, find_changes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.grid.axes import Point
    from orchestrator.grid.config_values import Value
    from orchestrator.planning.load import Planned

_LOOKED_INTO: Final = 20  # earlier runs; reading a config takes milliseconds


def look_back(planned: Planned, most: int = _LOOKED_INTO) -> Changes:
    """Compare the run directories that the grid no longer names with the grid; ``most``: how many of them."""
    earlier_runs = []
    for run_id in planned.former[:most]:
        directory = planned.experiment.run(run_id)
        with contextlib.suppress(RunDirectoryError):  # orch status reports the damage
            earlier_runs.append(
                EarlierRun(directory.read_chosen().overrides, directory.read_hashed_config())
            )
    described = planned.described
    exclude = planned.settings.identity_exclude

    def resolve(point: Point) -> Mapping[str, Value] | None:
        if not described.span.are_conditional:
            return described.composer.conceal(point).written
        with contextlib.suppress(ConfigError):  # there may be no such point
            return described.composer.conceal(point).written
        return None

    grids = described.span.grids
    return find_changes(len(planned.former), earlier_runs, grids, resolve, exclude)
