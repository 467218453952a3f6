"""A killer: kills random processes of a world at random moments."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter

from world import Call, World

WEIGHTS = (1, 3, 3)  # of orchestrator, runner, trainer; only what lives can be killed


class Killer:
    """Kills what lives in a world, at moments of its own choice."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 # no secret
        self.kills: Counter[str] = Counter()
        self.struck: set[int] = set()

    def strike(self, world: World, calls: list[Call]) -> None:
        """Wait for a moment, and kill one process."""
        time.sleep(self.chance.uniform(0, 0.3))
        callers = {call.pid for call in calls}
        trainers = {pid for _, _, pid in world.executed}
        living: dict[str, list[int]] = {"orchestrator": [], "runner": [], "trainer": []}
        for pid in world.processes():
            role = "trainer" if pid in trainers else "runner"
            living["orchestrator" if pid in callers else role].append(pid)
        role = self.chance.choices(list(living), WEIGHTS)[0]
        if living[role]:
            with contextlib.suppress(ProcessLookupError):
                pid = self.chance.choice(living[role])
                os.kill(pid, signal.SIGKILL)
                self.kills[role] += 1
                self.struck.add(pid)


def is_over(call: Call) -> bool:
    """Tell whether a call has ended."""
    return os.waitid(os.P_PIDFD, call.end, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
