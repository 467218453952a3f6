"""Random processes are killed at random moments, hundreds of times, and nothing comes of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from killer import Killer, is_over
from oracle import Undisturbed, healing, violations
from world import Call, MakeWorld, ProcessCall, read

TWELVE = ("seed=range(12)", "--workers=2", "iterations=6")
FOREIGN = (
    *("seed=range(12)", "--workers=2"),
    f"orch.command=[python,{Path(__file__).parent / 'project/program.py'},'{{run_dir}}','6']",
)
REPORTED = (*TWELVE, "orch.tracking.enabled=true")
MANY = ("seed=range(200)", "--workers=1", "iterations=1")
EIGHT = 8


@pytest.mark.soak
@pytest.mark.parametrize(
    ("grid", "kind", "kills"),
    [(TWELVE, Call, 300), (FOREIGN, Call, 200), (REPORTED, ProcessCall, 30)],
    ids=["forked", "foreign", "reported"],
)
def test_random_kills_cost_nothing(
    make_world: MakeWorld,
    undisturbed: Undisturbed,
    grid: tuple[str, ...],
    kind: type[Call],
    kills: int,
) -> None:
    """The same command, repeatedly: the grid ends with the bits of an undisturbed one."""
    killer = Killer(kills)
    found, grids = [], 0
    while killer.kills.total() < kills:
        world = make_world(*grid)
        (world.folder / "witness/pace").write_text("0.03")
        while True:
            call = world.begin(kind=kind)
            while not is_over(call) and killer.kills.total() < kills:
                killer.strike(world, [call])
            ended = call.wait()
            found += violations(world)
            assert ended.code != 2, ended.said
            if ended.code == 0 or killer.kills.total() == kills:
                break
        found += asyncio.run(healing(world, undisturbed(*grid)[1]))
        grids += 1
    print(f"{dict(killer.kills)} kills, {grids} grids, {len(found)} violations")
    assert found == []


@pytest.mark.soak
def test_eight_orchestrators_on_two_hundred_runs(
    make_world: MakeWorld, undisturbed: Undisturbed
) -> None:
    """Each run is executed once per recorded attempt, whichever process is killed meanwhile."""
    world, killer = make_world(*MANY), Killer(8)
    calls = [world.begin() for _ in range(EIGHT)]
    while any(status.get("state") != "done" for status in world.statuses()) or len(calls) == EIGHT:
        killer.strike(world, calls)
        over = [call for call in calls if is_over(call)]
        codes = [call.collect().code for call in over]
        calls = [call for call in calls if call not in over]
        calls += [world.begin() for code in codes if code != 0]
        if not calls:
            break
    # The last strike may have hit a call that had nothing left to do.
    codes = {call.pid: call.wait().code for call in calls}
    assert {code for pid, code in codes.items() if pid not in killer.struck} <= {0, 1}
    assert world.run().code == 0
    executed = Counter(run_id for run_id, _, _ in world.executed)
    attempts = {
        directory.name: read(directory / "status.json")["attempt"]
        for directory in world.directories()
    }
    print(
        f"{dict(killer.kills)} kills, {executed.total()} attempts begun, {sum(attempts.values())}"
    )
    assert len(attempts) == 200
    assert all(executed[run_id] <= number for run_id, number in attempts.items())
    # An attempt that was never begun is one whose runner or trainer was killed on its way.
    assert (
        sum(attempts.values()) - executed.total()
        <= killer.kills["runner"] + killer.kills["trainer"]
    )
    assert violations(world) == []
    assert asyncio.run(healing(world, undisturbed(*MANY)[1])) == []
