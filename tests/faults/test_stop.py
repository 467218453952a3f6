"""The user stops a grid: Ctrl-C at a real terminal, once and twice, and a terminal that is closed."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from signal import SIGKILL

import pytest
from oracle import Undisturbed, healing, violations
from world import MakeWorld, TerminalCall, World, read, until

GRID = ("seed=range(3)", "--workers=2", "iterations=12")
STUBBORN = "orch.command=[sh,-c,'trap \"\" TERM INT; setsid sleep 999 & sleep 999; sleep 999']"


def begin_slowly(world: World) -> TerminalCall:
    """Begin a grid that takes its time, at a terminal, and return when two runs are on their way."""
    (world.folder / "witness/pace").write_text("2")  # neither ends before the other has begun
    call = world.begin(kind=TerminalCall)
    until(lambda: call.said and sum(saved(each) > 1 for each in world.directories()) == 2)
    (world.folder / "witness/pace").write_text("0.15")
    return call


def saved(directory: Path) -> int:
    """Return how many iterations a run says that it has saved."""
    return int((read(directory / "progress.json") or {"iteration": 0})["iteration"])


def heal(world: World, undisturbed: Undisturbed) -> list[str]:
    """Return what the next calls violate, at full speed."""
    (world.folder / "witness/pace").unlink()
    return asyncio.run(healing(world, undisturbed(*world.grid)[1]))


@pytest.mark.parametrize("how", ["Ctrl-C", "closed terminal"])
def test_asked_once_every_run_is_saved_within_an_iteration_and_marked(
    make_world: MakeWorld, undisturbed: Undisturbed, how: str
) -> None:
    """Nothing new starts, nothing is lost, and the same command goes on from there."""
    world = make_world(*GRID)
    call = begin_slowly(world)
    before = {each: saved(each) for each in world.directories()}
    if how == "Ctrl-C":
        call.press_ctrl_c()
    else:
        call.hang_up()
    ended = call.wait()
    assert ended.code == 130, ended.said
    for directory, iteration in before.items():
        # The iteration that was on its way to the disk, and the one that was being trained.
        assert iteration <= saved(directory) <= iteration + 2
        assert list((directory / "checkpoints").glob(f"{saved(directory):06d}-*.pt"))
    assert [status["state"] for status in world.statuses()] == ["interrupted"] * 2
    assert world.processes() == []
    assert violations(world) + heal(world, undisturbed) == []


def test_orch_stop_reaches_the_runs_whose_orchestrator_was_killed(
    make_world: MakeWorld, undisturbed: Undisturbed
) -> None:
    """Nobody would pass the request on: the runners hear it themselves, and nothing is lost."""
    world = make_world(*GRID)
    call = begin_slowly(world)
    (world.folder / "witness/pace").write_text("1")
    os.kill(call.pid, SIGKILL)
    call.collect()
    asked = world.call("stop", *GRID[:1]).wait()
    assert "Asked what is left of an orch run of faults to stop" in asked.said
    until(lambda: not world.processes(), what="the runs to stop")
    assert [status["state"] for status in world.statuses()] == ["interrupted"] * 2
    assert violations(world) + heal(world, undisturbed) == []


def test_asked_twice_no_process_is_left_after_six_seconds(
    make_world: MakeWorld, undisturbed: Undisturbed
) -> None:
    """Also where the trainings do not come to an iteration's end."""
    world = make_world(*GRID)
    call = begin_slowly(world)
    world.hold()
    call.press_ctrl_c()
    until(lambda: "(again:" in call.said)
    call.press_ctrl_c()
    asked = time.monotonic()
    assert call.wait().code == 130
    until(lambda: not world.processes(), 6 - (time.monotonic() - asked))
    assert [status["state"] for status in world.statuses()] == ["interrupted"] * 2
    world.release()
    assert violations(world) + heal(world, undisturbed) == []


def test_asked_twice_a_program_that_ignores_it_and_its_daemons_are_ended(
    make_world: MakeWorld,
) -> None:
    """Whatever made a session of its own, or does not listen."""
    world = make_world("seed=0,1", "--workers=2", STUBBORN)
    call = world.begin(kind=TerminalCall)
    # Each a runner, a shell and two that sleep.
    until(lambda: call.said and len(world.processes()) >= 1 + 2 * 4)
    call.press_ctrl_c()
    until(lambda: "(again:" in call.said)
    call.press_ctrl_c()
    asked = time.monotonic()
    assert call.wait().code == 130
    until(lambda: not world.processes(), 6 - (time.monotonic() - asked))
    assert [status["state"] for status in world.statuses()] == ["interrupted"] * 2
    assert violations(world) == []
