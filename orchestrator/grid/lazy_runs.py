"""Lazy sequences of the runs and the exclusions of a grid: each item is created on access."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar, overload

from orchestrator.grid.axes import Point
from orchestrator.grid.config_values import Value
from orchestrator.grid.identity import RUN_ID_DIGITS, Concealed, Run, RunId, check_digest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from orchestrator.grid.config_template import Path
    from orchestrator.grid.known_configs import KnownConfigs
    from orchestrator.grid.points import Points

Resolve: TypeAlias = Callable[[Point], Mapping[str, Value]]
Conceal: TypeAlias = Callable[[Point], Concealed]
K = TypeVar("K")
V = TypeVar("V")
_ID_BYTES: Final = RUN_ID_DIGITS // 2
_KEPT: Final = 64  # cached configs: those of the live runs and the next ones


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A point that was dropped, and the filter that dropped it."""

    point: Point
    filter: str


@dataclass(frozen=True, slots=True)
class _LazyConfig:
    """The config of a point, composed on access."""

    number: int
    digest: str
    write: Callable[[int, str], Concealed]

    def resolved(self) -> Mapping[str, Value]:
        return self.write(self.number, self.digest).resolved

    def written(self) -> Mapping[str, Value]:
        return self.write(self.number, self.digest).written

    def environment(self) -> Mapping[str, str]:
        return self.write(self.number, self.digest).environment

    def hydra_overrides(self) -> Sequence[str]:
        return self.write(self.number, self.digest).hydra_overrides

    def stand_ins(self) -> Mapping[Path, Value]:
        return self.write(self.number, self.digest).stand_ins

    def given(self) -> Mapping[str, Value]:
        return self.write(self.number, self.digest).given

    def choices(self) -> Mapping[str, Value]:
        return self.write(self.number, self.digest).choices


class LazyMapping(Mapping[K, V]):
    """A mapping that is created on access."""

    def __init__(self, make: Callable[[], Mapping[K, V]]) -> None:
        self._make = make

    def __getitem__(self, key: K) -> V:
        """Return the value of a key."""
        return self._make()[key]

    def __iter__(self) -> Iterator[K]:
        """Yield the keys."""
        return iter(self._make())

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._make())


class LazyTexts(Sequence[str]):
    """A sequence of strings that is created on access."""

    def __init__(self, make: Callable[[], Sequence[str]]) -> None:
        self._make = make

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[str]: ...
    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        """Return the string at an index, or several for a slice."""
        return self._make()[at]

    def __len__(self) -> int:
        """Return the number of strings."""
        return len(self._make())


class Runs(Sequence[Run]):
    """The runs of a grid in the order of its points; each is created on access.

    A million runs are two lists: the numbers of their points, and their digests. Only the configs
    used last are cached. Each is hashed when it is composed: it equals the planned one, or an
    ``IdentityError`` is raised.
    """

    def __init__(  # noqa: PLR0913, PLR0917 # everything that runs are made from
        self,
        points: Points,
        numbers: Sequence[int],
        digests: Sequence[bytes],
        conceal: Conceal,
        exclude: Sequence[str] = (),
        known: KnownConfigs | None = None,
    ) -> None:
        self._points = points
        self._numbers = numbers
        self._digests = digests
        self._conceal = conceal
        self._exclude = exclude
        self._known = known
        self._write = lru_cache(_KEPT)(self._make)

    def _make(self, number: int, digest: str) -> Concealed:
        made = self._conceal(self._points[number])
        check_digest(made, digest, self._exclude)
        if made.give_own is None:
            return made
        with_own = made.give_own(RunId(digest[:RUN_ID_DIGITS]), number)
        return replace(with_own, stand_ins=made.stand_ins)

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self._numbers)

    @overload
    def __getitem__(self, at: int) -> Run: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Run]: ...
    def __getitem__(self, at: int | slice) -> Run | Sequence[Run]:
        """Return the run at an index, or a sequence of runs for a slice."""
        if isinstance(at, slice):
            return self.pick(range(*at.indices(len(self))))
        number = self._numbers[at]
        digest = self._digests[at].hex()
        later = _LazyConfig(number, digest, self._write)
        run_id = RunId(digest[:RUN_ID_DIGITS])
        made = (
            LazyMapping(later.resolved),
            LazyMapping(later.written),
            LazyMapping(later.environment),
            LazyTexts(later.hydra_overrides),
            LazyMapping(later.stand_ins),
            LazyMapping(later.given),
            LazyMapping(later.choices),
        )
        return Run(run_id, digest, self._points[number].values, *made)

    def pick(self, places: Sequence[int]) -> Runs:
        """Return the runs at these indices without creating them."""
        numbers = [self._numbers[place] for place in places]
        digests = [self._digests[place] for place in places]
        return Runs(self._points, numbers, digests, self._conceal, self._exclude, self._known)

    def run_id(self, at: int) -> RunId:
        """Return the run ID at an index without creating the run."""
        return RunId(self._digests[at].hex()[:RUN_ID_DIGITS])

    def overrides(self, at: int) -> Mapping[str, Value]:
        """Return the axis values of the run at an index without creating the run."""
        return self._points[self._numbers[at]].values

    def known_config(self, at: int) -> Mapping[str, Value] | None:
        """Return the config of the run at an index without composing it; None if that is not possible."""
        return self._known.find(self._numbers[at]) if self._known else None

    def run_ids(self) -> Iterator[bytes]:
        """Yield the run IDs as bytes without creating the runs."""
        return (digest[:_ID_BYTES] for digest in self._digests)


def find_places(runs: Sequence[Run], run_ids: Collection[RunId]) -> dict[RunId, int]:
    """Return the index of each of the run IDs that is among the runs."""
    if not run_ids:
        return {}
    if isinstance(runs, Runs):
        wanted = {bytes.fromhex(run_id) for run_id in run_ids}
        ids = enumerate(runs.run_ids())
        return {RunId(run_id.hex()): at for at, run_id in ids if run_id in wanted}
    return {run.run_id: at for at, run in enumerate(runs) if run.run_id in run_ids}


def overrides_at(runs: Sequence[Run], at: int) -> Mapping[str, Value]:
    """Return the axis values of the run at an index."""
    return runs.overrides(at) if isinstance(runs, Runs) else runs[at].overrides


class Exclusions(Sequence[Exclusion]):
    """The dropped points in order; each exclusion is created on access."""

    def __init__(
        self, points: Points, dropped: Sequence[tuple[int, int]], filters: Sequence[str]
    ) -> None:
        self._points = points
        self._dropped = dropped
        self._filters = filters

    def __len__(self) -> int:
        """Return the number of dropped points."""
        return len(self._dropped)

    @overload
    def __getitem__(self, at: int) -> Exclusion: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Exclusion]: ...
    def __getitem__(self, at: int | slice) -> Exclusion | Sequence[Exclusion]:
        """Return the exclusion at an index, or a sequence of exclusions for a slice."""
        if isinstance(at, slice):
            return Exclusions(self._points, self._dropped[at], self._filters)
        number, excluded_by = self._dropped[at]
        return Exclusion(self._points[number], self._filters[excluded_by])
