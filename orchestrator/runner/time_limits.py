"""The limits of an attempt: its time limits in seconds, and how it is asked to stop."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final

from orchestrator.runner.stop_request_rules import DEFAULT_RULES, StopRules

if TYPE_CHECKING:
    from collections.abc import Sequence

_TIMES: Final = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """How long an attempt may take in total, and how long without a sign of progress.

    ``grace`` is the time between the request to stop of a limit and the kill; infinity means no
    limit. ``stop`` says how the program is asked. ``stretched``: the first two count the run's share of
    the time of a GPU that it shares with other runs.
    """

    timeout: float = inf
    no_progress: float = inf
    grace: float = 10.0
    stop: StopRules = DEFAULT_RULES
    stretched: bool = False

    def as_arguments(self) -> tuple[str, ...]:
        """Return them as arguments of the command line of a runner, always as many."""
        times = (str(self.timeout), str(self.no_progress), str(self.grace))
        return (*times, str(int(self.stretched)), *self.stop.as_arguments())

    @classmethod
    def from_arguments(cls, arguments: Sequence[str]) -> Limits:
        """Parse what ``as_arguments`` returned."""
        timeout, no_progress, grace = map(float, arguments[:_TIMES])
        stretched, *rules = arguments[_TIMES:]
        stop = StopRules.from_arguments(rules)
        return cls(timeout, no_progress, grace, stop, stretched == "1")


NO_LIMITS: Final = Limits()
