"""A halved grid is killed at random: the same runs survive, with the same bits."""

from __future__ import annotations

import asyncio

import pytest
from killer import Killer, is_over
from oracle import Undisturbed, ends, healing, violations
from world import MakeWorld, World

RUNS = 7
WHOLE = (f"seed=range({RUNS})", "iterations=6", "--workers=2")
HALVED = (*WHOLE, "--halving=validation/loss:min:3")
SPARSE = (*WHOLE, "+checkpoint.every=4", "--halving=validation/loss:min:3:2")
MANY = 20  # kills
BREADTH = ("seed=range(4)", "iterations=5", "--workers=2", "--order=breadth:2")


def torture(world: World, killer: Killer, kills: int, *, massacres: float) -> list[str]:
    """Run the grid, and kill until it is over or enough were killed; return the violations."""
    (world.folder / "witness/pace").write_text("0.01")
    found, most = [], killer.kills.total() + kills
    while killer.kills.total() < most:
        call = world.begin()
        while not is_over(call) and killer.kills.total() < most:
            killer.strike(world, [call])
            if killer.chance.random() < massacres:
                world.kill_all()
        ended = call.wait()
        found += violations(world)
        assert ended.code != 2, ended.said
        if ended.code == 0:
            break
    (world.folder / "witness/pace").unlink()
    return found


def unfinished_writes(world: World) -> list[str]:
    """Return what the oracle says of files that a killed run was writing when it was paused.

    It had come to its rung; they are replaced when the run goes on.
    """
    paused = [it for it in world.directories() if not (it / "results.json").exists()]
    names = ("checkpoints/new.pt.tmp", ".status.json.new", "progress.json.tmp")
    return [f"{it / name} is left" for it in paused for name in names]


@pytest.mark.parametrize(
    ("grid", "kills", "massacres"),
    [
        pytest.param(HALVED, 3, 0.0, id="halved"),
        pytest.param(SPARSE, 2, 0.5, id="sparse"),
        *(
            pytest.param(grid, MANY, massacres, id=f"{name}, {MANY} kills", marks=pytest.mark.soak)
            for name, grid in (("halved", HALVED), ("sparse", SPARSE), ("breadth", BREADTH))
            for massacres in (0.0, 0.5)
        ),
    ],
)
def test_killed_grid_ends_as_an_undisturbed_one(
    make_world: MakeWorld,
    undisturbed: Undisturbed,
    grid: tuple[str, ...],
    kills: int,
    massacres: float,
) -> None:
    """The same runs are paused at the same rungs, and the others have the same bits."""
    killer, found = Killer(kills + round(100 * massacres)), list[str]()
    while killer.kills.total() < kills:
        world = make_world(*grid)
        left = kills - killer.kills.total()
        found += torture(world, killer, left, massacres=massacres)
        found += asyncio.run(healing(world, undisturbed(*grid)[1]))
        found = [each for each in found if each not in unfinished_writes(world)]
    print(f"{dict(killer.kills)} kills, {len(found)} violations", *found, sep="\n")
    assert found == []


@pytest.mark.parametrize(
    "halving", ["validation/loss:min:3", "validation/loss:max:2:2", "train/loss:min:3:1:async"]
)
def test_survivors_have_the_bits_of_a_whole_grid_and_the_others_reach_them_later(
    make_world: MakeWorld, undisturbed: Undisturbed, halving: str
) -> None:
    whole = undisturbed(*WHOLE)[1]
    world = make_world(*WHOLE)
    ended = world.run("--halving", halving)
    assert ended.code == 0, ended.said
    halved = ends(world)
    survivors = {name for name, (digest, _) in halved.items() if digest}
    assert 1 <= len(survivors) < RUNS
    assert all(halved[name] == whole[name] for name in survivors)
    assert all(whole[name][1][: len(points)] == points for name, (_, points) in halved.items())
    assert f"{RUNS - len(survivors)} paused by halving" in ended.said
    assert world.run().code == 0
    assert ends(world) == whole
    assert violations(world) == []


def test_two_orchestrators_halve_one_grid_together(
    make_world: MakeWorld, undisturbed: Undisturbed
) -> None:
    world = make_world(*HALVED)
    (world.folder / "witness/pace").write_text("0.01")
    calls = [world.begin() for _ in range(2)]
    assert [call.wait().code for call in calls] == [0, 0], [call.said for call in calls]
    assert ends(world) == undisturbed(*HALVED)[1]
    assert violations(world) == []


def test_halving_is_stopped_and_goes_on_with_another_factor(
    make_world: MakeWorld, undisturbed: Undisturbed
) -> None:
    """The rungs that are there count, whatever the options were that led to them."""
    world = make_world(*WHOLE)
    assert world.run("--halving=validation/loss:min:7:2").code == 0
    assert world.run("--halving=validation/loss:min:3").code == 0
    other = undisturbed(*HALVED)[1]
    now = ends(world)
    done = {name for name, (digest, _) in now.items() if digest}
    assert {name for name, (digest, _) in other.items() if digest} <= done
