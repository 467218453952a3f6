"""The power goes at any moment: what was recorded is there, and nothing is done that is not."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from oracle import Undisturbed, healing, lacking, violations
from world import FOREIGN_COMMAND, MakeWorld, World, read, until

TRAINED = ("seed=0,1", "--workers=2")
FOREIGN = (*TRAINED, FOREIGN_COMMAND)
FEW = 5
LAST = "9999 the end"
# The kernel writes nothing of its own accord meanwhile: only what was synced is there afterwards.
MOUNTING = ("mount", "-o", "loop,commit=300")

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not (shutil.which("mkfs.ext4") and shutil.which("mount")),
    reason="a disk of its own takes root and mkfs.ext4",
)


def make_disk(world: World) -> Path:
    """Return the image of an empty disk."""
    image = world.folder / "disk"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    return image


@contextlib.contextmanager
def inserted(image: Path, world: World) -> Iterator[None]:
    """Have the world's results on a disk, while inside."""
    results = world.folder / "results"
    results.mkdir(exist_ok=True)
    mounted = subprocess.run([*MOUNTING, image, results], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip(f"nothing can be mounted here: {mounted.stderr.decode()}")
    try:
        yield
    finally:
        world.kill_all()
        until(lambda: not world.processes())
        subprocess.run(["umount", results], check=True)


def cuts(world: World) -> list[Path]:
    """Run the grid; return the disks as they were before each rename and sync, the end included."""
    image = make_disk(world)
    with inserted(image, world):
        (world.folder / "cuts").mkdir()
        (world.folder / "faults/disk").symlink_to(image)
        ended = world.run()
        assert ended.code == 0, ended.said
        subprocess.run(["cp", "--sparse=always", image, world.folder / "cuts" / LAST], check=True)
    (world.folder / "faults/disk").unlink()
    return sorted((world.folder / "cuts").iterdir())


def false_records(world: World) -> list[str]:
    """Say what stands on the disk that cannot be, whatever was lost."""
    found = []
    for directory in world.directories():
        identity, status = read(directory / "run.json"), directory / "status.json"
        if identity is None or not (directory / "run.lock").is_file():
            found.append(f"{directory}: it is not whole")
            continue
        config = (directory / "config.yaml").read_bytes()
        if hashlib.sha256(config).hexdigest() != identity["config_sha256"]:
            found.append(f"{directory}: its config is damaged")
        if status.exists() and read(status) is None:
            found.append(f"{directory}: its status is unreadable: {status.read_bytes()!r}")
        if (read(status) or {}).get("state") == "done":
            found += [f"{directory}: done without {lack}" for lack in lacking(directory)]
    return found


def after_the_cut(disk: Path, world: World, undisturbed: Undisturbed) -> list[str]:
    """Return what is wrong on a disk, and what the next calls violate."""
    for notes in (world.folder / "witness").iterdir():
        notes.unlink()  # attempts whose record is lost with the power are begun again
    with inserted(disk, world):
        found = [*false_records(world), *violations(world)]
        states = [(status or {}).get("state") for status in world.statuses()]
        if disk.name == LAST and states != ["done", "done"]:
            found.append(f"what was done is not any more: {states}")
        found += asyncio.run(healing(world, undisturbed(*world.grid)[1]))
    return [f"{disk.name}: {each}" for each in found]


def test_power_is_cut_at_some_points(make_world: MakeWorld, undisturbed: Undisturbed) -> None:
    """With a program of somebody else: each end of the grid is the undisturbed one."""
    world = make_world(*FOREIGN)
    disks = cuts(world)
    assert len(disks) > 4 * FEW
    chosen = [*disks[:: len(disks) // FEW], disks[-1]]
    assert [each for disk in chosen for each in after_the_cut(disk, world, undisturbed)] == []


@pytest.mark.soak
@pytest.mark.parametrize("grid", [TRAINED, FOREIGN], ids=["trained", "foreign"])
def test_power_is_cut_at_every_point(
    make_world: MakeWorld, undisturbed: Undisturbed, grid: tuple[str, ...]
) -> None:
    """Before each rename and each sync of orchestrator, runner and trainer."""
    world = make_world(*grid)
    disks = cuts(world)
    found = [each for disk in disks for each in after_the_cut(disk, world, undisturbed)]
    print(f"{len(disks)} cuts, {len(found)} violations")
    assert found == []
