"""The results of a single run, as the table of results compares them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from orchestrator.rundir.note import NO_NOTE, Note
from orchestrator.rundir.state import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.grid.config_values import Value
    from orchestrator.planning.grouping import RunConfig

GPU_MEMORY: Final = "gpu_memory_gib"  # the most that a run has used of its GPUs, beside its metrics
_TEST: Final = re.compile(r"test(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RunResults:
    """The results of one run; ``metrics`` is None while it has none.

    ``tested`` are the names of the metrics that only the results at the end have. ``refused`` are
    its files that the system refused to read, so that values are missing.

    ``overrides``, ``given`` and ``choices`` are those of its ``ChosenValues``.
    ``config`` is None if it cannot be read or is not needed. ``versions`` are those of the trainer's
    numbers that contributed to the results. ``code`` is the digest of the code and the command that made
    it, if that is known. ``is_paused``: it is stale, and has paused.
    """

    overrides: Mapping[str, Value]
    metrics: Mapping[str, float] | None
    config: RunConfig | None = None
    versions: frozenset[int | None] = frozenset()
    run_id: str = ""
    path: str = ""
    state: State = State.DONE
    note: Note = NO_NOTE
    given: Mapping[str, Value] = field(default_factory=dict)
    choices: Mapping[str, Value] | None = None
    tested: frozenset[str] = frozenset()
    refused: tuple[str, ...] = ()
    code: str | None = None
    is_paused: bool = False


def is_of_test(metric: str) -> bool:
    """Return whether a metric is one of the test set, by its name."""
    return _TEST.match(metric) is not None
