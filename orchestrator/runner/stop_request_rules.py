"""The stop rules: how a program is asked to stop, and what exit code 0 means after that."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

# The signals that can ask: a program can handle them, and ends by default.
ASKING: Final = {
    number.name: number
    for number in (
        *(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT),
        *(signal.SIGUSR1, signal.SIGUSR2),
    )
}


@dataclass(frozen=True, slots=True)
class StopRules:
    """How a program is asked to stop.

    ``signal`` is sent to it. ``grace`` is the time in seconds that it has to end after a request of
    the user; infinity means no limit. Afterwards, exit code 0 means done only if the program shows
    that it finished, or with ``zero_is_done``.
    """

    signal: signal.Signals = signal.SIGTERM
    grace: float = inf
    zero_is_done: bool = False

    def as_arguments(self) -> tuple[str, ...]:
        """Return them as arguments of the command line of a runner."""
        return (self.signal.name, str(self.grace), "done" if self.zero_is_done else "")

    @classmethod
    def from_arguments(cls, arguments: Sequence[str]) -> StopRules:
        """Parse what ``as_arguments`` returned."""
        name, grace, zero = arguments
        return cls(ASKING[name], float(grace), zero == "done")


DEFAULT_RULES: Final = StopRules()
