"""More runs share a GPU as long as they do more together."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.execution.sharing_pace import SharingPace, Sight
from orchestrator.grid.identity import RunId

START = 2.0


def simulate(
    speed: Callable[[int], float], iterations: int, *, limit: int = 16, seconds: float = 4000.0
) -> SharingPace:
    """Execute runs of equal kind: each has ``speed(n)`` iterations per second beside ``n - 1`` others."""
    pace, moment, number = SharingPace(limit), 0.0, 0
    live: dict[int, list[float]] = {}  # since, iterations, when settled (or -1)
    while moment < seconds:
        ended = []
        for name, run in [*live.items()]:
            if moment - run[0] >= START:
                run[1] += speed(len(live)) * 0.25
                run[2] = moment if run[1] >= 1 > run[2] + 1 else run[2]
            if run[1] >= iterations:
                ended.append(sight(name, run, is_over=True))
                del live[name]
        while len(live) < pace.most:
            live[number] = [moment, 0.0, -1.0]
            number += 1
        pace.see([*(sight(*each) for each in live.items()), *ended], moment)
        moment += 0.25
    return pace


def sight(name: int, run: list[float], *, is_over: bool = False) -> Sight:
    settled = None if run[2] < 0 else run[2]
    return Sight(RunId(str(name)), (), run[0], int(run[1]), settled, is_over=is_over)


@pytest.mark.parametrize("iterations", [10, 100, 10**9])
def test_all_share_while_nobody_is_slowed_down(iterations: int) -> None:
    assert simulate(lambda _: 2.0, iterations).most == 16


@pytest.mark.parametrize("iterations", [200, 10**9])
def test_no_more_share_once_they_take_turns(iterations: int) -> None:
    """Eight do as much as sixteen, so that sixteen are one level too many."""
    assert simulate(lambda count: 8.0 / max(8, count), iterations).most == 8


def test_fewer_share_if_more_are_slower() -> None:
    assert simulate(lambda count: 4.0 / count**1.5 if count > 8 else 1.0, 100).most == 8


def test_starts_that_overlap_pay_although_steps_take_turns() -> None:
    """Short runs spend most of their time on their start, where the GPU is idle."""
    assert simulate(lambda count: 40.0 / max(4, count), 4).most == 16


def test_limit_is_never_exceeded() -> None:
    for limit in (1, 2, 4, 5, 12):
        assert simulate(lambda _: 1.0, 20, limit=limit).most == limit


def test_runs_that_report_nothing_count_when_they_end() -> None:
    pace, moment = SharingPace(16), 0.0
    for number in range(200):
        names = range(number * pace.most, (number + 1) * pace.most)
        sights = [Sight(RunId(str(each)), (), moment, 0, None) for each in names]
        pace.see(sights, moment)
        moment += 10.0
        over = [Sight(each.run_id, (), each.since, 1, None, is_over=True) for each in sights]
        pace.see(over, moment)
    assert pace.most == 16
