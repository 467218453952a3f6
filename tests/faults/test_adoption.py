"""Orchestrators die, stop and share: every attempt lives once, and every end is recorded."""

from __future__ import annotations

import asyncio
import os
import time
from signal import SIGCONT, SIGKILL, SIGSTOP

import pytest
from oracle import Undisturbed, healing, violations
from world import Call, MakeWorld, World, read, until

FOUR = ("seed=range(4)", "--workers=4")
TWO = ("seed=0,1", "--workers=1")
ONE = ("seed=0", "--workers=1")


def begin_held(world: World, attempts: int) -> Call:
    """Begin a grid, and hold its trainings when this many have begun."""
    world.hold()
    call = world.begin()
    until(lambda: len(world.executed) == attempts, what="the trainings to begin")
    return call


def heal(world: World, undisturbed: Undisturbed) -> list[str]:
    """Return what the next calls violate."""
    return asyncio.run(healing(world, undisturbed(*world.grid)[1]))


def test_four_live_trainers_of_a_dead_orchestrator_are_adopted(
    make_world: MakeWorld, undisturbed: Undisturbed
) -> None:
    """None is started twice, and all four ends are recorded."""
    world = make_world(*FOUR)
    first = begin_held(world, 4)
    os.kill(first.pid, SIGKILL)
    first.collect()
    second = world.begin()
    until(lambda: second.said.count(" wait ") == 4)
    world.release()
    ended = second.wait()
    assert ended.code == 0, ended.said
    assert len(world.executed) == 4
    assert [(status["state"], status["attempt"]) for status in world.statuses()] == [
        ("done", 1)
    ] * 4
    assert violations(world) + heal(world, undisturbed) == []


@pytest.mark.parametrize("victim", ["trainer", "runner", "runner and keeper"])
def test_slot_of_the_dead_is_used_again_within_a_second(
    make_world: MakeWorld, undisturbed: Undisturbed, victim: str
) -> None:
    """The next trainer has begun by then; in the middle of three times, for a machine is busy.

    A trainer whose runner was killed keeps its slot for as long as it lives: it has a keeper, or else
    it is adopted.
    """
    world = make_world("seed=range(4)", "--workers=1")
    call = begin_held(world, 1)
    took = []
    for killed in range(3):
        run_id, _, pid = world.executed[killed]
        directory = world.folder / "results/faults/training" / run_id
        runner = read(directory / "status.json")["pid"]
        if victim == "runner":
            os.kill(runner, SIGKILL)
        if victim == "runner and keeper":
            os.killpg(os.getpgid(runner), SIGKILL)
            until(lambda seen=killed + 1: call.said.count(" wait ") == seen, what="the adoption")
            assert len(world.executed) == killed + 1
        os.kill(pid, SIGKILL)
        died = time.monotonic()
        until(lambda begun=killed + 2: len(world.executed) == begun, what="the next to begin")
        took.append(time.monotonic() - died)
    assert sorted(took)[1] < 1
    world.release()
    assert call.wait().code == (0 if victim == "runner and keeper" else 1)
    assert violations(world) + heal(world, undisturbed) == []


@pytest.mark.parametrize("role", ["trainer", "runner"])
def test_stopped_attempt_is_never_taken_over(
    make_world: MakeWorld, undisturbed: Undisturbed, role: str
) -> None:
    """It lives as long as the lock is held; when it goes on, its end counts for both callers."""
    world = make_world(*ONE)
    first = begin_held(world, 1)
    (status,) = world.statuses()
    stopped = world.executed[0][2] if role == "trainer" else status["pid"]
    os.kill(stopped, SIGSTOP)
    world.release()
    second = world.begin()
    until(lambda: " wait " in second.said)
    os.kill(stopped, SIGCONT)
    assert (first.wait().code, second.wait().code) == (0, 0)
    assert len(world.executed) == 1
    assert violations(world) + heal(world, undisturbed) == []


def test_stopped_orchestrator_looks_again_before_it_acts(
    make_world: MakeWorld, undisturbed: Undisturbed
) -> None:
    """What another one has done in the meantime is not done again."""
    world = make_world(*TWO)
    first = begin_held(world, 1)
    os.kill(first.pid, SIGSTOP)
    world.release()
    assert world.run().code == 0
    assert len(world.executed) == 2
    os.kill(first.pid, SIGCONT)
    assert first.wait().code == 0
    assert len(world.executed) == 2
    assert violations(world) + heal(world, undisturbed) == []


@pytest.mark.parametrize(
    "point",
    [
        "runner:fork:process#1",
        "runner:open:run.lock#1",
        "runner:flock:run.lock#1",
        "runner:rename:status.json#1",
        "runner:rename:status.json#2",
    ],
)
def test_runner_stopped_at_a_point_looks_again_before_it_acts(
    make_world: MakeWorld, undisturbed: Undisturbed, point: str
) -> None:
    """Before it has the lock another one may be faster; from then on it is waited for."""
    world = make_world(*ONE)
    world.order(f"{point}=stop")
    first = world.begin()
    until(lambda: world.happened)
    second = world.begin()
    has_lock = "status.json" in point
    if has_lock:
        until(lambda: " wait " in second.said)
    else:
        assert second.wait().code == 0
    os.kill(int(world.happened.split()[-1]), SIGCONT)
    assert first.wait().code == 0
    assert not has_lock or second.wait().code == 0
    assert len(world.executed) == 1
    assert violations(world) + heal(world, undisturbed) == []


def test_two_orchestrators_share_a_grid(make_world: MakeWorld, undisturbed: Undisturbed) -> None:
    """Each run is executed once, by one of them."""
    world = make_world(*FOUR)
    calls = [world.begin("--workers=2") for _ in range(2)]
    assert [call.wait().code for call in calls] == [0, 0]
    assert len(world.executed) == 4
    assert violations(world) + heal(world, undisturbed) == []
