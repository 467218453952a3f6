"""A kill by the kernel for memory counts for the end that follows it, not for all that come later."""

import os

import pytest

from orchestrator.runner import oom_kills
from orchestrator.runner.oom_kills import OomKills, count_oom_kills


@pytest.mark.skipif(not os.path.exists("/proc/vmstat"), reason="a kernel without /proc/vmstat")  # noqa: PTH110
def test_kills_of_the_kernel_are_counted_as_the_kernel_counts_them() -> None:
    with open("/proc/vmstat", encoding="ascii") as file:  # noqa: PTH123 # not on a disk
        counts = dict(line.split() for line in file)
    assert count_oom_kills() >= int(counts.get("oom_kill", 0))


def test_kill_is_recent_for_a_minute_or_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run may take days, in which other programs of the machine are killed for their memory."""
    count = 3
    monkeypatch.setattr(oom_kills, "count_oom_kills", lambda: count)
    kills = OomKills()
    begin = kills._counted_at
    assert not kills.are_recent()
    count = 4
    found = []
    for second in range(200):
        kills.look(begin + second)
        found.append(kills.are_recent())
    assert all(found[:60])
    assert not any(found[121:])
    count = 5
    assert kills.are_recent()


def test_kills_before_a_takeover_are_recent() -> None:
    """The runner may have been killed together with its program."""
    kills = OomKills()
    kills.before -= 1
    assert kills.are_recent()
