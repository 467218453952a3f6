"""The runs and the exclusions of a grid, however many: each is made only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar, overload

from orchestrator.grid.axes import Axis, Point, point_at
from orchestrator.grid.config_values import Value
from orchestrator.grid.identity import RUN_ID_DIGITS, Concealed, Run, RunId, check_digest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

Resolve: TypeAlias = Callable[[Point], Mapping[str, Value]]
Conceal: TypeAlias = Callable[[Point], Concealed]
V = TypeVar("V")
_ID_BYTES: Final = RUN_ID_DIGITS // 2
_KEPT: Final = 64  # configs: those of the runs that live, or come next


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A point that was dropped, and the filter that did it."""

    point: Point
    filter: str


@dataclass(frozen=True, slots=True)
class _WrittenLater:
    """The config of a point, made when somebody looks at it."""

    number: int
    digest: str
    write: Callable[[int, str], Concealed]

    def resolved(self) -> Mapping[str, Value]:
        return self.write(self.number, self.digest).resolved

    def written(self) -> Mapping[str, Value]:
        return self.write(self.number, self.digest).written

    def environment(self) -> Mapping[str, str]:
        return self.write(self.number, self.digest).environment


class Later(Mapping[str, V]):
    """A mapping that is made when somebody looks at it."""

    def __init__(self, make: Callable[[], Mapping[str, V]]) -> None:
        self._make = make

    def __getitem__(self, key: str) -> V:
        """Return what stands under a key."""
        return self._make()[key]

    def __iter__(self) -> Iterator[str]:
        """Yield the keys."""
        return iter(self._make())

    def __len__(self) -> int:
        """Count the keys."""
        return len(self._make())


class Runs(Sequence[Run]):
    """The runs of a grid, in the order of its points; each is made when it is asked for.

    A million runs are two lists: the numbers of their points, and their digests. Of their configs
    only those that were looked at last are kept. Each is hashed when it is made: what is written
    down is what was planned, or an ``IdentityError``.
    """

    def __init__(
        self,
        axes: Sequence[Axis],
        numbers: Sequence[int],
        digests: Sequence[bytes],
        conceal: Conceal,
        exclude: Sequence[str] = (),
    ) -> None:
        self._axes = axes
        self._numbers = numbers
        self._digests = digests
        self._conceal = conceal
        self._exclude = exclude
        self._write = lru_cache(_KEPT)(self._make)

    def _make(self, number: int, digest: str) -> Concealed:
        made = self._conceal(point_at(self._axes, number))
        check_digest(made, digest, self._exclude)
        return made

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
            return self.pick(range(*at.indices(len(self))))
        number = self._numbers[at]
        digest = self._digests[at].hex()
        later = _WrittenLater(number, digest, self._write)
        run_id = RunId(digest[:RUN_ID_DIGITS])
        made = (Later(later.resolved), Later(later.written), Later(later.environment))
        return Run(run_id, digest, point_at(self._axes, number).values, *made)

    def pick(self, places: Sequence[int]) -> Runs:
        """Return the runs at some places, without making them."""
        numbers = [self._numbers[place] for place in places]
        digests = [self._digests[place] for place in places]
        return Runs(self._axes, numbers, digests, self._conceal, self._exclude)

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
