"""What the fault tests share: worlds, and how the grid ends when nothing disturbs it."""

import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent / "apparatus"))

import fault_points
from oracle import Ends, Undisturbed, ends
from world import LONGEST, MakeWorld, Stable, World


@pytest.fixture(scope="session")
def stable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stable]:
    """Return the process that forks the runners of all orchestrators."""
    os.environ[fault_points.WATCHER] = str(os.getpid())
    stable = Stable(tmp_path_factory.mktemp("stable") / "log")
    yield stable
    stable.close()
    del os.environ[fault_points.WATCHER]


@pytest.fixture
def make_world(tmp_path: Path, stable: Stable) -> Iterator[MakeWorld]:
    """Return what makes worlds; all that lives in them ends with the test."""
    worlds: list[World] = []

    def make(*grid: str) -> World:
        worlds.append(World(tmp_path / f"world-{len(worlds)}", stable, grid))
        return worlds[-1]

    yield make
    for world in worlds:
        world.kill_all()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, stable: Stable) -> Undisturbed:
    """Return what runs a grid without a fault: its world, and how its runs ended."""

    @cache
    def run(*grid: str) -> tuple[World, Ends]:
        world = World(tmp_path_factory.mktemp("undisturbed") / "world", stable, grid)
        ended = world.begin().wait(10 * LONGEST)
        assert ended.code == 0, ended.said
        return world, ends(world)

    return run
