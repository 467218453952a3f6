"""The oracle: what has to hold after a fault, whatever it was. It returns violations, in words."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from world import LONGEST, Call, Ended, World, read

Ends = dict[str, Any]
Undisturbed = Callable[..., tuple[World, Ends]]
_LEFTOVERS = ("*.tmp", ".*.new", ".new-*")


async def over(call: Call) -> Ended:
    """Return when a call has ended; others go on meanwhile."""
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    loop.add_reader(call.end, lambda: ended.done() or ended.set_result(None))
    try:
        await asyncio.wait_for(ended, LONGEST)
    except TimeoutError:
        return call.wait(0)
    finally:
        loop.remove_reader(call.end)
    return call.collect()


def violations(world: World) -> list[str]:
    """Say what is wrong at this moment, with runs alive or not."""
    found = world.notes("witness/violations")
    executed = Counter(tuple(line.split()[:2]) for line in world.notes("witness/executed"))
    found += [f"attempt {each} was begun {n} times" for each, n in executed.items() if n > 1]
    for directory in world.directories():
        status = read(directory / "status.json") or {}
        begun = [int(number) for run_id, number in executed if run_id == directory.name]
        if begun and max(begun) > status.get("attempt", 0):
            found.append(f"{directory.name}: attempt {max(begun)} stands nowhere")
        if status.get("state") == "done":
            found += [f"{directory.name}: done without {lack}" for lack in lacking(directory)]
    logs = (*world.folder.glob("said/*"), *world.folder.glob("results/*/tracking.log"))
    for path in (*logs, world.stable.log):
        if "Traceback" in path.read_text(errors="replace"):
            found.append(f"a traceback:\n{path.read_text()}")
    return found


def lacking(directory: Path) -> list[str]:
    """Return what a run that is done does not have."""
    progress = read(directory / "progress.json") or {}
    lacks = [] if (read(directory / "results.json") or {}).get("digest") else ["results"]
    if not progress or progress["iteration"] != progress["iterations"]:
        lacks.append("its last iteration")
    if not list((directory / "checkpoints").glob(f"{progress.get('iterations', 0):06d}-*.pt")):
        lacks.append("its last checkpoint")
    return lacks


def ends(world: World) -> Ends:
    """Return what each run ended with: its bits, and which points it reported."""
    return {
        str(read(directory / "run.json")["overrides"]): (
            (read(directory / "results.json") or {}).get("digest"),
            [
                (point["key"], point["step"], point["value"])
                for point in map(json.loads, world.notes(str(directory / "metrics.jsonl")))
            ],
        )
        for directory in world.directories()
    }


def reported(world: World) -> dict[Path, bytes]:
    """Return the whole lines of each run's metrics, which a reader may have passed on."""
    paths = [directory / "metrics.jsonl" for directory in world.directories()]
    return {path: path.read_bytes().rpartition(b"\n")[0] for path in paths if path.is_file()}


async def healing(world: World, undisturbed: Ends) -> list[str]:
    """Repeat the command twice: the first finishes the grid, the second does nothing."""
    told = reported(world)
    second = await over(world.begin())
    found = violations(world)
    if second.code:
        found.append(f"the next orch run ended with {second.code}:\n{second.said}")
    if ends(world) != undisturbed:
        found.append(f"it ended otherwise than undisturbed: {ends(world)}")
    now = reported(world)
    found += [f"{path} was rewritten" for path in told if not now[path].startswith(told[path])]
    results = world.folder / "results"
    found += [f"{path} is left" for name in _LEFTOVERS for path in results.rglob(name)]
    before, executed = times(results), world.notes("witness/executed")
    third = await over(world.begin())
    if third.code or times(results) != before or world.notes("witness/executed") != executed:
        found.append(f"the call after the next one did something ({third.code}):\n{third.said}")
    if left := world.processes():
        found.append(f"processes are left: {left}")
    return found


def times(folder: Path) -> dict[Path, tuple[int, int]]:
    """Return something that changes with every write below a folder."""
    found = ((path, path.lstat()) for path in (folder, *folder.rglob("*")))
    return {path: (stat.st_mtime_ns, stat.st_ino) for path, stat in found}
