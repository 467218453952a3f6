"""The machine refuses something: a run fails where it must, and the same command finishes later."""

from __future__ import annotations

import asyncio
import ctypes
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module

import pytest
from oracle import Undisturbed, healing, times, violations
from thinning import combined
from world import FOREIGN_COMMAND, PROJECT, MakeWorld, World, environment

from orchestrator.errors import OrchestratorError
from orchestrator.planning.load import ConfigSource, load_plan

TWO = ("seed=0,1", "--workers=2")
FOREIGN = (*TWO, FOREIGN_COMMAND)
CODES = (0, 1, 2, 3)
# A file system of its own, for this process and those below it, is gone when they are.
SMALL_DISK = """
mount -t tmpfs -o size=256k tmpfs results || exit 77
head -c 1M /dev/zero > results/filler 2>/dev/null
"$@"; echo "first: $?"
rm results/filler
"$@"; echo "second: $?"
"$@"; echo "third: $?"
"""


def limit(name: int, value: int) -> Callable[[], object]:
    """Return what limits a process and those below it."""
    return lambda: resource.setrlimit(name, (value, value))


def heal(world: World, undisturbed: Undisturbed) -> list[str]:
    """Return what the next calls violate."""
    return asyncio.run(healing(world, undisturbed(*world.grid)[1]))


@pytest.fixture(scope="module")
def loaded() -> None:
    """Load what an orch loads before its files are limited: that is not what is tried here."""
    for name in (
        "cli.commands.run",
        "cli.options_by_command",
        "config.message_redaction",
        "planning.code_drift",
    ):
        import_module(f"orchestrator.{name}")
    with suppress(OrchestratorError):  # there is no experiment in this folder
        load_plan(ConfigSource(PROJECT / "conf", "config", ("seed=0,1",)))


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("grid", "files"), combined(grid=[TWO, FOREIGN], files=[8, 12, 16, 20, 24])
)
def test_too_many_open_files(
    make_world: MakeWorld, undisturbed: Undisturbed, grid: tuple[str, ...], files: int
) -> None:
    """Fewer runs at once, or failed ones, or none: said in one line, and healed by the next orch run."""
    world = make_world(*grid)
    ended = world.run(before=limit(resource.RLIMIT_NOFILE, files))
    assert ended.code in CODES, ended.said
    assert violations(world) + heal(world, undisturbed) == []


@pytest.mark.parametrize("size", [0, 100, 400])
def test_limit_of_the_size_of_files(
    make_world: MakeWorld, undisturbed: Undisturbed, size: int
) -> None:
    """The same as for a full disk, for a user with a limit."""
    world = make_world(*FOREIGN)
    call = world.begin(before=limit(resource.RLIMIT_FSIZE, size))
    assert call.wait().code in CODES
    assert violations(world) + heal(world, undisturbed) == []


def test_small_disk(make_world: MakeWorld) -> None:
    """Without room the runs fail, one line each; with room the same command finishes the grid."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("mounting a small disk takes root and unshare")
    world = make_world()
    (world.folder / "results").mkdir()
    orch = [sys.executable, "-m", "orchestrator", "run", f"--config-dir={PROJECT / 'conf'}"]
    ended = subprocess.run(
        ["unshare", "-m", "sh", "-c", SMALL_DISK, "sh", *orch, *FOREIGN],
        cwd=world.folder,
        env={**os.environ, **environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode == 77:
        pytest.skip("nothing can be mounted here")
    assert "Traceback" not in ended.stdout + ended.stderr
    assert "No space left on device" in ended.stdout + ended.stderr
    assert "first: 0" not in ended.stdout
    assert "second: 0" in ended.stdout, ended.stdout
    assert "Nothing to do" in ended.stdout
    assert "third: 0" in ended.stdout


def obey_permissions() -> None:
    """Give up root's right to write everywhere (capset: CAP_DAC_OVERRIDE is bit 1)."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    data = (ctypes.c_uint32 * 6)()
    assert libc.capget(header, data) == 0
    data[0] &= ~2
    assert libc.capset(header, data) == 0


def test_results_that_cannot_be_written(make_world: MakeWorld, undisturbed: Undisturbed) -> None:
    """``plan`` and ``status`` work, ``run`` says so at once, and nothing is half made."""
    world = make_world("seed=0,1,2", "--workers=2")
    shutil.copytree(undisturbed(*TWO)[0].folder / "results", world.folder / "results")
    folders = [path for path in world.folder.glob("results/**/") if path.is_dir()]
    before = times(world.folder / "results")
    for folder in folders:
        folder.chmod(0o555)
    try:
        for command in ("plan", "status"):
            assert world.call(command, "seed=0,1,2", before=obey_permissions).wait().code == 0
        ended = world.run(before=obey_permissions)
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert ended.code == 2
    assert "cannot write here" in ended.said
    assert times(world.folder / "results") == before
    assert violations(world) + heal(world, undisturbed) == []


@pytest.mark.parametrize("grid", [TWO, FOREIGN], ids=["warm", "foreign"])
@pytest.mark.parametrize("point", ["runner:fork:process#1", "orchestrator:fork:process#1"])
def test_fork_is_refused(
    make_world: MakeWorld, undisturbed: Undisturbed, grid: tuple[str, ...], point: str
) -> None:
    """No process more: the run fails or waits, the others go on."""
    if f"{point}" not in undisturbed(*grid)[0].points():
        pytest.skip("here somebody else forks")
    world = make_world(*grid)
    world.order(f"{point}=EAGAIN")
    ended = world.run()
    assert ended.code in (0, 1), ended.said
    assert world.happened
    assert "done" in [status.get("state") for status in world.statuses()]
    assert violations(world) + heal(world, undisturbed) == []
