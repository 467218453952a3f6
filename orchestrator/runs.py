"""The runs and the exclusions of a grid, however many: each is made only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, overload

from orchestrator.grid import Axis, Point, Value, point_at
from orchestrator.identity import RUN_ID_DIGITS, Run
from orchestrator.state import RunId

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

Resolve: TypeAlias = Callable[[Point], Mapping[str, Value]]
_ID_BYTES: Final = RUN_ID_DIGITS // 2


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A point that was dropped, and the filter that did it."""

    point: Point
    filter: str


class ResolvedLater(Mapping[str, "Value"]):
    """The config of a point, which is resolved when somebody looks at it for the first time."""

    def __init__(self, point: Point, resolve: Resolve) -> None:
        self._point = point
        self._resolve = resolve
        self._config: Mapping[str, Value] | None = None

    def __getitem__(self, key: str) -> Value:
        """Return what stands under a key at the top."""
        return self._resolved()[key]

    def __iter__(self) -> Iterator[str]:
        """Yield the keys at the top."""
        return iter(self._resolved())

    def __len__(self) -> int:
        """Count the keys at the top."""
        return len(self._resolved())

    def _resolved(self) -> Mapping[str, Value]:
        if self._config is None:
            self._config = self._resolve(self._point)
        return self._config


class Runs(Sequence[Run]):
    """The runs of a grid, in the order of its points; each is made when it is asked for.

    A million runs are two lists: the numbers of their points, and their digests.
    """

    def __init__(
        self,
        axes: Sequence[Axis],
        numbers: Sequence[int],
        digests: Sequence[bytes],
        resolve: Resolve,
    ) -> None:
        self._axes = axes
        self._numbers = numbers
        self._digests = digests
        self._resolve = resolve

    def __len__(self) -> int:
        """Count the runs."""
        return len(self._numbers)

    @overload
    def __getitem__(self, at: int) -> Run: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Run]: ...
    def __getitem__(self, at: int | slice) -> Run | Sequence[Run]:
        """Return the run at a place, or several."""
        if isinstance(at, slice):
            return Runs(self._axes, self._numbers[at], self._digests[at], self._resolve)
        point = point_at(self._axes, self._numbers[at])
        digest = self._digests[at].hex()
        config = ResolvedLater(point, self._resolve)
        return Run(RunId(digest[:RUN_ID_DIGITS]), digest, point.values, config)

    def run_ids(self) -> Iterator[bytes]:
        """Yield the run IDs as bytes, without making the runs."""
        return (digest[:_ID_BYTES] for digest in self._digests)


def find_places(runs: Sequence[Run], run_ids: Collection[RunId]) -> dict[RunId, int]:
    """Return where those of the run IDs stand that are among the runs."""
    if not run_ids:
        return {}
    if isinstance(runs, Runs):
        wanted = {bytes.fromhex(run_id) for run_id in run_ids}
        ids = enumerate(runs.run_ids())
        return {RunId(run_id.hex()): at for at, run_id in ids if run_id in wanted}
    return {run.run_id: at for at, run in enumerate(runs) if run.run_id in run_ids}


class Exclusions(Sequence[Exclusion]):
    """The points that were dropped, in order; each is made when it is asked for."""

    def __init__(
        self, axes: Sequence[Axis], dropped: Sequence[tuple[int, int]], filters: Sequence[str]
    ) -> None:
        self._axes = axes
        self._dropped = dropped
        self._filters = filters

    def __len__(self) -> int:
        """Count the points that were dropped."""
        return len(self._dropped)

    @overload
    def __getitem__(self, at: int) -> Exclusion: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Exclusion]: ...
    def __getitem__(self, at: int | slice) -> Exclusion | Sequence[Exclusion]:
        """Return the exclusion at a place, or several."""
        if isinstance(at, slice):
            return Exclusions(self._axes, self._dropped[at], self._filters)
        number, culprit = self._dropped[at]
        return Exclusion(point_at(self._axes, number), self._filters[culprit])
