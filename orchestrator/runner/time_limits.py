"""The time limits of an attempt, in seconds; infinity means no limit."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Limits:
    """How long an attempt may take in total, and how long without a sign of progress.

    ``grace`` is the time between the request to stop and the kill.
    """

    timeout: float = inf
    no_progress: float = inf
    grace: float = 10.0

    def as_arguments(self) -> tuple[str, ...]:
        """Return them as arguments of the command line of a runner."""
        return (str(self.timeout), str(self.no_progress), str(self.grace))

    @classmethod
    def from_arguments(cls, arguments: Sequence[str]) -> Limits:
        """Parse what ``as_arguments`` returned."""
        return cls(*map(float, arguments))


NO_LIMITS: Final = Limits()
