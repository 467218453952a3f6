"""The peak memory of runs on a GPU, learned from others with the same values on the axes that matter.

An axis does not matter if runs that differ in nothing else used the same; seeds never do. Of values that
no run has had, nothing is known: memory grows in steps, and guessing it would cost somebody a run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from orchestrator.execution.cost_model import Mark, Marks

_ALIKE: Final = 1.1  # the same memory: allocators round


@dataclass(slots=True)
class _Compared:
    """The peaks of runs that differ in one axis only: those of its values."""

    peaks: dict[Mark, int] = field(default_factory=dict)

    @property
    def says(self) -> bool | None:
        """Whether the axis matters; None: not known."""
        if len(self.peaks) == 1:
            return None
        return max(self.peaks.values()) > _ALIKE * min(self.peaks.values())


class PeakMemory:
    """The peaks of runs, by their marks."""

    def __init__(self) -> None:
        self._peaks: dict[Marks, int] = {}
        self._doubted: set[Marks] = set()
        self._compared: dict[str, dict[Marks, _Compared]] = {}
        self._verdicts: dict[str, dict[bool, int]] = {}
        self._besides: frozenset[str] = frozenset()
        self._reduced: dict[Marks, int] = {}

    def note(self, marks: Marks, peak: int, *, is_final: bool = True) -> None:
        """Add what a run has used, at its end or (not ``is_final``) so far.

        What was doubted is only known when a run has ended.
        """
        if is_final:
            self._doubted.discard(marks)
        if marks in self._doubted or peak <= self._peaks.get(marks, 0):
            return
        self._peaks[marks] = peak
        for mark in marks:
            self._compare(mark, marks, peak)
        besides = frozenset(
            axis for axis, said in self._verdicts.items() if said[False] and not said[True]
        )
        if besides != self._besides:
            self._besides, self._reduced = besides, {}
            for each, known in self._peaks.items():
                self._remember(each, known)
        else:
            self._remember(marks, peak)

    def doubt(self, marks: Marks) -> None:
        """Forget runs like this one, which ran out of memory, until one of them has ended."""
        reduced = self._without_what_does_not_matter(marks)
        alike = [
            each for each in self._peaks if self._without_what_does_not_matter(each) == reduced
        ]
        self._doubted.update((marks, *alike))
        for each in alike:
            del self._peaks[each]
        self._reduced.pop(reduced, None)

    def expect(self, marks: Marks) -> int | None:
        """Return the peak of a run in bytes; None if no finished run tells."""
        if marks in self._doubted:
            return None
        return self._reduced.get(self._without_what_does_not_matter(marks))

    @property
    def typical(self) -> int | None:
        """The mean of what is known; None if nothing is."""
        return sum(self._peaks.values()) // len(self._peaks) if self._peaks else None

    def _compare(self, mark: Mark, marks: Marks, peak: int) -> None:
        axis = mark[0]
        others = tuple(each for each in marks if each[0] != axis)
        compared = self._compared.setdefault(axis, {}).setdefault(others, _Compared())
        verdicts = self._verdicts.setdefault(axis, {False: 0, True: 0})
        before = compared.says if compared.peaks else None
        compared.peaks[mark] = peak
        now = compared.says
        if before is not None:
            verdicts[before] -= 1
        if now is not None:
            verdicts[now] += 1

    def _remember(self, marks: Marks, peak: int) -> None:
        reduced = self._without_what_does_not_matter(marks)
        self._reduced[reduced] = max(peak, self._reduced.get(reduced, 0))

    def _without_what_does_not_matter(self, marks: Marks) -> Marks:
        return tuple(mark for mark in marks if mark[0] not in self._besides)
