"""Damage of any kind costs the run that it befell, at most, and a line; nothing is destroyed."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from oracle import Undisturbed, times, violations
from thinning import covering
from world import MakeWorld, World, read, until

ONE = ("seed=0", "--workers=1")
MUTATIONS = 1000
VICTIM = b"nobody may touch this\n"

Damage = Callable[[Path, Path], object]


def put(name: str, content: str | bytes) -> Damage:
    """Return what replaces a file's content."""
    whole = content.encode() if isinstance(content, str) else content
    return lambda directory, _: (directory / name).write_bytes(whole)


def cut(name: str) -> Damage:
    """Return what leaves half of a file."""

    def halve(directory: Path, _: Path) -> None:
        path = directory / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return halve


def without(name: str) -> Damage:
    """Return what removes a file."""
    return lambda directory, _: (directory / name).unlink()


def instead(name: str, make: Callable[[Path, Path], object]) -> Damage:
    """Return what puts something else in a file's place."""

    def replace(directory: Path, victim: Path) -> None:
        (directory / name).unlink()
        make(directory / name, victim)

    return replace


def a_link(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def a_hard_link(path: Path, victim: Path) -> None:
    path.hardlink_to(victim)


def a_pipe(path: Path, _: Path) -> None:
    os.mkfifo(path)


def a_folder(path: Path, _: Path) -> None:
    path.mkdir()
    (path / "kept").touch()


def a_file_for_it(directory: Path, _: Path) -> None:
    shutil.rmtree(directory)
    directory.write_text("mine")


FUTURE = json.dumps({"schema": 7, "state": "done", "attempt": 1})
FOREIGN = json.dumps({"state": "done"})
# What a grid makes up for by itself ...
HEALED: dict[str, Damage] = {
    "status cut": cut("status.json"),
    "status empty": put("status.json", b""),
    "status of zeros": put("status.json", bytes(30)),
    "status foreign": put("status.json", FOREIGN),
    "status of the future": put("status.json", FUTURE),
    "status a list": put("status.json", "[" * 5000),
    "status a link": instead("status.json", a_link),
    "status a pipe": instead("status.json", a_pipe),
    "status a folder": instead("status.json", a_folder),
    "status missing": without("status.json"),
    "progress cut": cut("progress.json"),
    "progress a link": instead("progress.json", a_link),
    "progress a pipe": instead("progress.json", a_pipe),
    "status of another process": put(
        "status.json",
        json.dumps(
            {
                "schema": 1,
                "state": "running",
                "attempt": 1,
                "started_at": "2099-01-01T00:00:00.000+00:00",
                "host": "elsewhere",
                "pid": 1,
            }
        ),
    ),
    "directory missing": lambda directory, _: shutil.rmtree(directory),
    "config missing": without("config.yaml"),
    "identity missing": without("run.json"),
    "identity cut": cut("run.json"),
    "identity of zeros": put("run.json", bytes(30)),
    "identity a link": instead("run.json", a_link),
    "results a folder": instead("results.json", a_folder),
    "lock a second name of it": lambda directory, _: (directory.parent / ".backup").hardlink_to(
        directory / "run.lock"
    ),
}
# ... and what costs the run, until the user repairs it.
COSTLY: dict[str, Damage] = {
    "config edited": put("config.yaml", "seed: 9\n"),
    "lock missing": without("run.lock"),
    "lock a link": instead("run.lock", a_link),
    "lock a hard link": instead("run.lock", a_hard_link),
    "lock a pipe": instead("run.lock", a_pipe),
    "lock a folder": instead("run.lock", a_folder),
    "directory a file": a_file_for_it,
    "metrics a link": instead("metrics.jsonl", a_link),
    "metrics a pipe": instead("metrics.jsonl", a_pipe),
}


def unfinished(world: World, undisturbed: Undisturbed) -> list[Path]:
    """Fill a world with finished runs, all but the last two of which died in their last moments."""
    whole = undisturbed(*world.grid)[0].folder / "results"
    shutil.copytree(whole, world.folder / "results")
    *directories, _, _ = world.directories()
    for directory in directories:
        status = read(directory / "status.json")
        status |= {"state": "running", "ended_at": None, "exit_code": None}
        (directory / "status.json").write_text(json.dumps(status))
    return directories


def damage_and_run(world: World, damages: dict[str, Damage], undisturbed: Undisturbed) -> None:
    """Do one damage to each unfinished run, and see that it costs that run at most."""
    healed = damages.keys() <= HEALED.keys()
    damaged = dict(zip(damages, unfinished(world, undisturbed), strict=True))
    healthy = [each for each in world.directories() if each not in damaged.values()]
    victims = {what: world.folder / f"victim of {what}" for what in damages}
    for what, damage in damages.items():
        victims[what].write_bytes(VICTIM)
        damage(damaged[what], victims[what])
    before = [times(each) for each in healthy]
    for command in ("plan", "status"):
        looked = world.call(command, *world.grid[:1]).wait()
        assert looked.code == 0, looked.said
    for _ in range(2):
        ended = world.run()
        assert ended.code == (0 if healed else 1), ended.said
        done = len(healthy) + (len(damages) if healed else 0)
        assert f"all {done} runs are done" in ended.said or f"{done} of " in ended.said, ended.said
        lines = [line for line in ended.said.splitlines() if line.startswith("failed ")]
        assert len(lines) == (0 if healed else len(damages)), ended.said
    assert {path.read_bytes() for path in victims.values()} == {VICTIM}
    assert [times(each) for each in healthy] == before
    assert violations(world) == []
    until(lambda: world.processes() == [], 10, "nothing lives")
    if healed:
        assert_same_results(world, undisturbed)


def grid_for(damages: int) -> tuple[str, ...]:
    """Return a grid with a run for each damage, and two that nothing happens to."""
    return f"seed=range({damages + 2})", "--workers=2"


def some_of(damages: dict[str, Damage]) -> dict[str, Damage]:
    """Return few of the damages, by which each file is damaged, and each kind of damage is done."""
    chosen = covering(damages, lambda what: what.split(" ", 1))
    return {what: damages[what] for what in chosen}


@pytest.mark.parametrize(
    "damages",
    [
        pytest.param(some_of(HEALED), id="healed"),
        pytest.param(some_of(COSTLY), id="costly"),
        pytest.param(HEALED, id="all healed", marks=pytest.mark.soak),
        pytest.param(COSTLY, id="all costly", marks=pytest.mark.soak),
    ],
)
def test_damage_costs_one_run_and_a_line(
    make_world: MakeWorld, undisturbed: Undisturbed, damages: dict[str, Damage]
) -> None:
    """The others are untouched, ``plan`` and ``status`` work, and what was there is kept."""
    damage_and_run(make_world(*grid_for(len(damages))), damages, undisturbed)


@pytest.mark.soak
@pytest.mark.parametrize("what", [*HEALED, *COSTLY])
def test_damage_alone(make_world: MakeWorld, undisturbed: Undisturbed, what: str) -> None:
    """One damage at a time says the same."""
    damages = {what: (HEALED | COSTLY)[what]}
    damage_and_run(make_world(*grid_for(1)), damages, undisturbed)


def assert_same_results(world: World, undisturbed: Undisturbed) -> None:
    """The runs ended as if nothing had happened."""
    whole = undisturbed(*world.grid)[0].directories()
    for directory, other in zip(world.directories(), whole, strict=True):
        assert read(directory / "results.json")["digest"] == read(other / "results.json")["digest"]


def test_run_directory_is_deleted_under_its_trainer(
    make_world: MakeWorld, undisturbed: Undisturbed
) -> None:
    """The trainer ends, one line says why, and the next orch run restarts the run."""
    world = make_world(*ONE)
    world.hold()
    call = world.begin()
    until(lambda: len(world.executed) == 1)
    (directory,) = world.directories()
    shutil.rmtree(directory)
    ended = call.wait()
    assert ended.code == 1
    assert "it was removed, moved or replaced" in ended.said
    assert not directory.exists()
    world.release()
    until(lambda: world.processes() == [], 10, "nothing lives")
    (world.folder / "witness/executed").unlink()  # another life begins with attempt 1
    again = world.run()
    assert again.code == 0, again.said
    expected = undisturbed(*ONE)[0].directories()[0]
    assert read(directory / "results.json")["digest"] == read(expected / "results.json")["digest"]
    assert violations(world) == []


def mutations(content: bytes, count: int) -> list[bytes]:
    """Return a content cut at every byte, and changed in many other ways."""
    chance = random.Random(8)  # noqa: S311 # no secret
    mutated = [content[:length] for length in range(len(content))]
    for _ in range(count):
        changed = bytearray(content)
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(changed))
            match chance.randrange(4):
                case 0:
                    changed[at] ^= 1 << chance.randrange(8)
                case 1:
                    changed[at : at + 1] = chance.randbytes(chance.randint(0, 3))
                case 2:
                    changed[at : at + chance.randint(1, 40)] = b""
                case _:
                    length = chance.randint(1, 40)
                    changed[at:at] = changed[chance.randrange(len(changed)) :][:length]
        mutated.append(bytes(changed))
    return mutated


@pytest.mark.parametrize("record", ["failed", "done"])
def test_no_run_is_wrongly_done_however_its_status_is_changed(
    make_world: MakeWorld, undisturbed: Undisturbed, record: str
) -> None:
    """Cut at every byte, and 1,000 random mutations: an answer for each, and no traceback."""
    whole = undisturbed(*ONE)[0].directories()[0]
    status = read(whole / "status.json") | {"state": record}
    world = make_world(*ONE)
    training = world.folder / "results/faults/training"
    contents = mutations(json.dumps(status, indent=2).encode(), MUTATIONS)
    for number, content in enumerate(contents):
        directory = training / f"{number:016x}"
        directory.mkdir(parents=True)
        shutil.copy(whole / "run.lock", directory)
        told = (whole / "run.json").read_text().replace(whole.name, directory.name)
        (directory / "run.json").write_text(told)
        (directory / "status.json").write_bytes(content)
    ended = world.call("status", "--json").wait()
    assert ended.code == 0, ended.said
    runs = json.loads(ended.said)["runs"]
    assert len(runs) == len(contents)
    for run in runs:
        if run["state"] == "done":
            assert says_done(contents[int(run["run_id"], 16)]), run
    assert "Traceback" not in ended.said


def says_done(content: bytes) -> bool:
    """Tell whether a status still is a whole one, of a run that is done."""
    found = json.loads(content)
    return bool(found["state"] == "done" and found["schema"] == 1 and found["attempt"] >= 1)
