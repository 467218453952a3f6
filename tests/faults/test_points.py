"""Whatever process is killed, or refused, at whatever point: the next orch run heals it."""

from __future__ import annotations

import asyncio
import fnmatch
import os

import pytest
from oracle import Ends, Undisturbed, healing, over, violations
from thinning import alternate_in_soak, others_in_soak
from world import FOREIGN_COMMAND, MakeWorld, World

EXPECTED = (
    "orchestrator:flock:faults/training",
    "orchestrator:rename:RUN",
    "runner:flock:run.lock",
    "runner:fork:process",
    "runner:rename:status.json",
    "trainer:rename:checkpoints/000001-CRC.pt",
    "trainer:link:checkpoints/best.pt.tmp",
    "trainer:remove:checkpoints/000001-CRC.pt",
    "trainer:write:metrics.jsonl",
    "trainer:rename:progress.json",
    "trainer:rename:results.json",
)
ONE = ("seed=0", "--workers=1")
TWO = ("seed=0,1", "--workers=2")
QUEUE = ("seed=0,1", "--workers=1")
FOREIGN = ("seed=0,1", "--workers=2", FOREIGN_COMMAND)
# Where it hurts: the last point of each kind.
FEW = {
    "torn": (
        "orchestrator:write:*/.run.json.new#*",
        "runner:write:.status.json.new#*",
        "trainer:write:checkpoints/*",
        "trainer:write:metrics.jsonl#*",
        "trainer:write:progress.json*",
        "trainer:write:results.json*",
    ),
    "massacre": (
        "runner:rename:status.json#*",
        "trainer:rename:checkpoints/0*",
        "trainer:rename:results.json#*",
    ),
    "ENOSPC": (
        "orchestrator:write:*/.config.yaml.new#*",
        "runner:write:.status.json.new#*",
        "runner:open:logs/*",
        "trainer:write:checkpoints/*",
        "trainer:write:metrics.jsonl#*",
    ),
    "EIO": (
        "runner:fsync:faults/training#*",
        "runner:flock:run.lock#*",
        "runner:fsync:.status.json.new#*",
        "trainer:fsync:checkpoints/*",
        "trainer:fsync:metrics.jsonl#*",
        "trainer:fsync:RUN#*",
    ),
    "EAGAIN": ("runner:fork:process#*", "runner:open:run.lock#*"),
    "full": (
        "orchestrator:mkdir:.new-RUN#*",
        "runner:write:.status.json.new#1",
        "trainer:write:checkpoints/*",
    ),
}
# A kill before one of these leaves the files that a kill before the next one leaves.
AS_THE_NEXT = (
    *("*:remove:*.new", "*:fsync:*.new", "*:fsync:*.tmp", "*:fsync:.new-RUN"),
    *("*:fsync:checkpoints", "*:fsync:metrics.jsonl"),
)
# How often the runner looks at the output is a matter of chance.
CHANCE = "runner:pwrite:logs/"


async def disturb(world: World, fault: str, undisturbed: Ends) -> list[str]:
    """Run the grid with a fault, and return what it violates."""
    world.order(fault)
    await over(world.begin())
    found = violations(world)
    if not world.happened and not fault.startswith(CHANCE):
        found.append("it never came to it")
    (world.folder / "faults/order").unlink(missing_ok=True)
    (world.folder / "faults/full").unlink(missing_ok=True)
    found += await healing(world, undisturbed)
    return [f"{fault}: {each}" for each in found]


def disturb_all(
    make_world: MakeWorld, grid: tuple[str, ...], faults: list[str], undisturbed: Ends
) -> list[str]:
    """Disturb a grid for every fault, as many at a time as there are processors."""

    async def all_of_them() -> list[str]:
        room = asyncio.Semaphore(len(os.sched_getaffinity(0)))

        async def one(fault: str) -> list[str]:
            async with room:
                return await disturb(make_world(*grid), fault, undisturbed)

        found = await asyncio.gather(*map(one, faults))
        return [each for one in found for each in one]

    return asyncio.run(all_of_them())


def is_as_the_next(point: str) -> bool:
    """Return whether a kill before a point leaves the files that one before the next leaves."""
    return any(fnmatch.fnmatch(point.partition("#")[0], kind) for kind in AS_THE_NEXT)


def test_points_of_all_that_is_written_are_known(undisturbed: Undisturbed) -> None:
    """The list of points cannot become empty, or lose a role, without a word."""
    points = undisturbed(*ONE)[0].points()
    assert {name for name in EXPECTED if f"{name}#1" not in points} == set()


@pytest.mark.parametrize(
    "which", others_in_soak(["expected, and some", "every"], ["expected, and some"])
)
def test_kill_at_points(make_world: MakeWorld, undisturbed: Undisturbed, which: str) -> None:
    """Killed before each write, rename, link and lock, the last time that it is come by.

    Before the next one is after this one.
    """
    world, ends = undisturbed(*ONE)
    last = {point.partition("#")[0]: point for point in world.points() if not is_as_the_next(point)}
    others = [point for name, point in last.items() if name not in EXPECTED]
    chosen = [point for name, point in last.items() if name in EXPECTED]
    chosen += others if which == "every" else others[::16]
    assert disturb_all(make_world, ONE, [f"{point}=kill" for point in chosen], ends) == []


def test_kill_of_the_orchestrator_while_it_builds_ahead(
    make_world: MakeWorld, undisturbed: Undisturbed
) -> None:
    """The live run goes on, and a partial run directory is not a run.

    At every second point; the soak has all of them.
    """
    world, ends = undisturbed(*QUEUE)
    points = [each for each in world.points() if each.startswith("orchestrator:")]
    built = [each for each in points if each.endswith("#2") and not is_as_the_next(each)]
    assert any(":mkdir:.new-RUN#2" in each for each in built)
    assert disturb_all(make_world, QUEUE, [f"{point}=kill" for point in built[::2]], ends) == []


@pytest.mark.parametrize(
    "act", alternate_in_soak(["torn", "EIO", "massacre", "EAGAIN", "ENOSPC", "full"])
)
def test_other_faults_at_some_points(
    make_world: MakeWorld, undisturbed: Undisturbed, act: str
) -> None:
    """A write that is torn, the death of all, an error, a full disk: each where it hurts."""
    world, ends = undisturbed(*ONE)
    points = [fnmatch.filter(world.points(), kind)[-1] for kind in FEW[act]]
    assert disturb_all(make_world, ONE, [f"{point}={act}" for point in points], ends) == []


@pytest.mark.soak
@pytest.mark.parametrize("act", ["kill", "torn", "massacre", "ENOSPC", "EIO", "EAGAIN", "full"])
def test_every_fault_at_every_point(
    make_world: MakeWorld, undisturbed: Undisturbed, act: str
) -> None:
    """All that the short form leaves out, on two runs at once and one after the other."""
    for grid in (TWO, QUEUE):
        world, ends = undisturbed(*grid)
        points = [each for each in world.points() if act != "torn" or "write:" in each]
        assert disturb_all(make_world, grid, [f"{point}={act}" for point in points], ends) == []


@pytest.mark.soak
@pytest.mark.parametrize("act", ["kill", "massacre", "EIO"])
def test_every_fault_with_a_program_of_somebody_else(
    make_world: MakeWorld, undisturbed: Undisturbed, act: str
) -> None:
    """The runner is a process that was started, and so is the program."""
    world, ends = undisturbed(*FOREIGN)
    faults = [f"{point}={act}" for point in world.points()]
    assert disturb_all(make_world, FOREIGN, faults, ends) == []
