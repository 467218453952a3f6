"""A rerun that is killed anywhere: the old result stands or the new one, and typed again it continues."""

from __future__ import annotations

import asyncio
import fnmatch
import itertools
import os
from collections import Counter
from pathlib import Path
from signal import SIGKILL

import pytest
from oracle import ends, over
from world import Call, MakeWorld, World, read, until

from orchestrator.grid.identity import RunId
from orchestrator.rundir.experiment import ExperimentDirectory

TWO = ("seed=0,1", "--workers=2")
RERUN = ("rerun", "--where", "seed >= 0", *TWO)
# Where the outcome differs: before what is moved, published, recorded and removed.
FEW = (
    *("orchestrator:rename:faults/replaced/RUN#[12]", "orchestrator:rename:RUN#1"),
    *("runner:rename:status.json#4", "orchestrator:open:faults/replaced/RUN.done#2"),
    *("orchestrator:rename:.new-swept#1", "orchestrator:rmdir:faults/replaced#1"),
)
ALL = (
    *("*:faults/replaced*", "*:rename:RUN#*", "*:rename:.new-swept#*", "*:rmdir:.new-swept#*"),
    *("*:rename:status.json#*", "*:fsync:faults/training#*", "*:rename:.new-RUN/run.json#*"),
)


def experiment(world: World) -> ExperimentDirectory:
    return ExperimentDirectory(world.folder / "results", "faults")


def first(make_world: MakeWorld) -> World:
    """Return a world whose runs are done, as if they had been executed long ago."""
    world = make_world(*TWO)
    assert world.run().code == 0
    (world.folder / "faults/points").unlink()
    (world.folder / "witness/executed").unlink()
    for directory in experiment(world).runs():
        (directory.path / "old").touch()
    return world


def lost(world: World) -> list[str]:
    """Return the runs of which no finished result stands, and what is wrong with it."""
    standing = {it.run_id: it for it in experiment(world).standing()}
    assert len(standing) == 2
    return [
        run_id
        for run_id, it in standing.items()
        if not (it.is_done() and (read(it.results) or {}).get("digest"))
    ]


def left(world: World) -> list[str]:
    """Return what a rerun that is over must not leave."""
    found = [*world.folder.glob("results/faults/*"), *world.folder.glob("results/faults/*/.*")]
    surplus = [path.name for path in found if path.name == "replaced" or path.name.startswith(".")]
    return surplus + [str(it) for it in world.folder.glob("results/faults/training/*/old")]


async def disturb(world: World, fault: str) -> list[str]:
    """Rerun with a fault, type it again, and return what is wrong."""
    expected = ends(world)
    world.order(fault)
    await over(world.call(*RERUN))
    (world.folder / "faults/order").unlink(missing_ok=True)
    found = [] if world.happened else ["it never came to it"]
    until(lambda: not world.processes(), what="what it started to end")
    found += [f"nothing stands of {run_id}" for run_id in lost(world)]
    again = await over(world.call(*RERUN))
    if again.code:
        found.append(f"typed again it ended with {again.code}:\n{again.said}")
    found += [f"nothing stands of {run_id}, typed again" for run_id in lost(world)]
    found += [f"{each} is left" for each in left(world)]
    if ends(world) != expected:
        found.append("other bits")
    found += [f"a traceback:\n{again.said}"] if "Traceback" in again.said else []
    return [f"{fault}: {each}" for each in found]


@pytest.mark.parametrize("kinds", [FEW, pytest.param(ALL, marks=pytest.mark.soak)])
def test_kill_at_points_of_a_rerun(make_world: MakeWorld, kinds: tuple[str, ...]) -> None:
    """Killed before a write of the orchestrator, or of the runner's record."""
    world = first(make_world)
    ended = world.call(*RERUN).wait()
    assert ended.code == 0, ended.said
    assert left(world) == []
    assert Counter(number for _, number, _ in world.executed) == {1: 2}
    points = [fnmatch.filter(world.points(), kind) for kind in kinds]
    assert all(points)

    async def all_of_them() -> list[str]:
        room = asyncio.Semaphore(len(os.sched_getaffinity(0)))

        async def one(point: str) -> list[str]:
            async with room:
                return await disturb(first(make_world), f"{point}=kill")

        found = await asyncio.gather(*map(one, dict.fromkeys(itertools.chain(*points))))
        return [each for one in found for each in one]

    assert asyncio.run(all_of_them()) == []


def test_what_lives_on_after_the_orchestrator_is_waited_for_and_not_repeated(
    make_world: MakeWorld,
) -> None:
    """Killed while both runs train: they finish, and typed again nothing is executed twice."""
    world = first(make_world)
    world.hold()
    call = world.call(*RERUN)
    until(lambda: len(world.executed) == 2, what="the trainings to begin")
    os.kill(call.pid, SIGKILL)
    call.collect()
    assert lost(world) == []
    again = world.call(*RERUN)
    until(lambda: again.said.count(" wait ") == 2, what="it to wait")
    world.release()
    assert again.wait().code == 0
    assert len(world.executed) == 2
    assert left(world) == []


def test_plain_run_finishes_a_rerun_that_was_killed(make_world: MakeWorld) -> None:
    """The runs are stale or pending there, and nothing is left of the rerun afterwards."""
    world = first(make_world)
    world.hold()
    call: Call = world.call(*RERUN, "--workers=1")
    until(lambda: len(world.executed) == 1, what="a training to begin")
    _, _, trainer = world.executed[0]
    for pid in (call.pid, trainer):
        os.kill(pid, SIGKILL)
    call.collect()
    world.release()
    until(lambda: not world.processes(), what="what it started to end")
    assert lost(world) == []
    assert world.run().code == 0
    assert lost(world) == left(world) == []


def test_live_run_is_never_rerun(make_world: MakeWorld) -> None:
    """It stays as it is, and the exit code says that something was left."""
    world = make_world(*TWO)
    world.hold()
    call = world.begin()
    until(lambda: len(world.executed) == 2, what="the trainings to begin")
    ended = world.call(*RERUN).wait()
    assert ended.code == 3
    assert ended.said.count("left as it is") == 2
    world.release()
    assert call.wait().code == 0
    assert len(world.executed) == 2


def test_run_that_failed_or_was_interrupted_is_begun_from_nothing(make_world: MakeWorld) -> None:
    """Nothing of its earlier attempts is in the new one."""
    world = make_world(*TWO)
    world.hold()
    call = world.begin()
    until(lambda: len(world.executed) == 2, what="the trainings to begin")
    for _, _, trainer in world.executed:
        os.kill(trainer, SIGKILL)
    world.release()
    assert call.wait().code == 1
    run_id = RunId(world.directories()[0].name)
    assert world.call("rerun", run_id[:6], *TWO).wait().code == 0
    assert experiment(world).run(run_id).observe().attempts == 1
    assert Path(experiment(world).path, "replaced").exists() is False
