"""What an attempt may take before it is ended; seconds, infinity for as long as it likes."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Limits:
    """How long an attempt may take in all, how long without a sign of progress.

    ``grace`` is how long it has to end when it is told so, before it is killed.
    """

    timeout: float = inf
    no_progress: float = inf
    grace: float = 10.0

    def as_arguments(self) -> tuple[str, ...]:
        """Write them for the command line of a runner."""
        return (str(self.timeout), str(self.no_progress), str(self.grace))

    @classmethod
    def from_arguments(cls, arguments: Sequence[str]) -> Limits:
        """Read what ``as_arguments`` wrote."""
        return cls(*map(float, arguments))


NO_LIMITS: Final = Limits()
