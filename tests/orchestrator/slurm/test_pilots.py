"""Pilots are submitted, replaced and given up as the policy says; silence of Slurm decides nothing."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from orchestrator.config.slurm_settings import SlurmSettings
from orchestrator.slurm.batch_script import PilotCommand
from orchestrator.slurm.commands import Slurm, SlurmAnswer
from orchestrator.slurm.pilots import Pilots
from orchestrator.slurm.submission_records import PilotsFolder

SILENCE = SlurmAnswer(is_none=True)
REFUSED = SlurmAnswer(refusal="Invalid partition name specified")


@dataclass
class Said:
    """A command of Slurm that has answered."""

    answer: SlurmAnswer

    def poll(self) -> SlurmAnswer:
        return self.answer


@dataclass
class FakeSlurm(Slurm):
    """Slurm with a queue of our own; ``says`` replaces the answers of commands by their names."""

    queued: dict[str, str] = field(default_factory=dict)  # key and name of a job: its state
    calls: list[str] = field(default_factory=list)
    options: list[Sequence[str]] = field(default_factory=list)
    says: dict[str, SlurmAnswer] = field(default_factory=dict)
    took: str = "0:30"
    forgets: bool = False

    def submit(self, arguments: Sequence[str], script: str, lock: int) -> Said:  # noqa: ARG002 # as Slurm has
        self.calls.append("sbatch")
        self.options.append(arguments)
        if self.says.get("sbatch", SILENCE).refusal:
            return Said(self.says["sbatch"])
        job = len(self.options)
        name = next(each for each in arguments if each.startswith("--job-name=")).partition("=")[2]
        last = next(each for each in arguments if each.startswith("--array=")).rpartition("-")[2]
        if not self.forgets:
            self.queued |= {f"{job}_{at}|{name}": "PENDING" for at in range(int(last) + 1)}
        return Said(self.says.get("sbatch", SlurmAnswer(f"{job}\n")))

    def queue(self, names: Sequence[str]) -> Said:
        self.calls.append("squeue")
        lines = [
            f"{key.partition('|')[0]}|{key.partition('|')[0]}|{key.partition('|')[2]}|{state}|N/A|n1"
            f"|{self.took}|Priority"
            for key, state in self.queued.items()
            if key.partition("|")[2] in names
        ]
        return Said(self.says.get("squeue", SlurmAnswer("\n".join(lines))))

    def cancel(self, names: Sequence[str], *, only_pending: bool) -> Said:  # noqa: ARG002 # as above
        self.calls.append("scancel")
        return Said(SlurmAnswer())

    def all(self, state: str) -> None:
        self.queued = dict.fromkeys(self.queued, state)


@dataclass
class World:
    slurm: FakeSlurm
    pilots: Pilots
    folder: PilotsFolder
    now: float = 0.0

    def pass_time(self, seconds: float, startable: int = 100) -> None:
        until = self.now + seconds
        while self.now < until:
            self.pilots.tend(startable, self.now)
            self.now += 1.0


@pytest.fixture
def restart(tmp_path: Path) -> Callable[[FakeSlurm], World]:
    """Return a function that begins to watch the pilots of the same experiment."""

    def begin(slurm: FakeSlurm, **given: int) -> World:
        folder = PilotsFolder(tmp_path)
        folder.path.mkdir(exist_ok=True)
        settings = replace(SlurmSettings(pilots=4, queued=2, time=3600.0), **given)
        pilots = Pilots(folder, slurm, settings, PilotCommand(tmp_path, tmp_path), "toy")
        pilots.resume()
        return World(slurm, pilots, folder)

    return begin


@pytest.fixture
def world(restart: Callable[[FakeSlurm], World]) -> World:
    return restart(FakeSlurm())


def test_pilots_are_submitted_as_others_start(world: World) -> None:
    """Two wait at a time; more than four are never alive."""
    world.pass_time(15)
    assert (world.pilots.waiting, world.pilots.live) == (2, 0)
    world.slurm.all("RUNNING")
    world.pass_time(30)
    assert (world.pilots.waiting, world.pilots.live) == (2, 2)
    world.slurm.all("RUNNING")
    world.pass_time(300)
    assert (world.pilots.waiting, world.pilots.live) == (0, 4)
    assert world.slurm.calls.count("sbatch") == 2


def test_pilot_that_ended_while_runs_are_open_is_replaced(restart: Callable[..., World]) -> None:
    world = restart(FakeSlurm(), pilots=2)
    world.pass_time(15)
    world.slurm.all("RUNNING")
    world.slurm.took = "2:00:00"
    world.pass_time(30)
    first = next(iter(world.slurm.queued))
    world.slurm.queued[first] = "TIMEOUT"
    world.pass_time(60)
    assert world.slurm.calls.count("sbatch") == 2
    assert world.pilots.gave_up == ""


def test_queue_is_asked_at_most_every_ten_seconds(world: World) -> None:
    world.pass_time(15)
    world.slurm.all("RUNNING")
    world.pass_time(1000)
    assert world.slurm.calls.count("squeue") <= 100
    world.slurm.calls.clear()
    world.pass_time(600)
    assert world.slurm.calls.count("squeue") <= 10  # a minute apart while nothing changes


def test_nothing_is_submitted_where_nothing_is_open(world: World) -> None:
    world.pass_time(100, startable=0)
    assert world.slurm.calls == []


@pytest.mark.parametrize("answer", [SILENCE, SlurmAnswer(refusal="hung", is_none=True)])
def test_silence_ends_no_pilot(world: World, answer: SlurmAnswer) -> None:
    world.pass_time(15)
    world.slurm.says["squeue"] = answer
    world.pass_time(1000)
    assert (world.pilots.waiting, world.slurm.calls.count("sbatch")) == (2, 1)
    assert world.pilots.trouble.startswith("Slurm does not answer: ")
    del world.slurm.says["squeue"]
    world.pass_time(100)
    assert world.pilots.trouble == ""


def test_job_that_slurm_forgot_is_replaced_after_a_minute(world: World) -> None:
    """Slurm's controller was killed before it had saved the job."""
    world.pass_time(15)
    world.slurm.queued.clear()
    world.pass_time(40)
    assert world.slurm.calls.count("sbatch") == 1
    world.pass_time(120)
    assert world.slurm.calls.count("sbatch") == 2


def test_answer_that_was_lost_submits_nothing_twice(world: World) -> None:
    """The job is there, under its name."""
    world.slurm.says["sbatch"] = SILENCE
    world.pass_time(15)
    del world.slurm.says["sbatch"]
    world.pass_time(200)
    assert (world.slurm.calls.count("sbatch"), world.pilots.waiting) == (1, 2)
    assert world.folder.tokens()[0].job == "1"


def test_submission_that_never_arrived_is_repeated(world: World) -> None:
    world.slurm.says["sbatch"], world.slurm.forgets = SILENCE, True
    world.pass_time(30)
    world.slurm.says.clear()
    world.slurm.forgets = False
    world.pass_time(200)
    assert (world.slurm.calls.count("sbatch"), world.pilots.waiting) == (2, 2)


def test_first_refusal_ends_it(world: World) -> None:
    world.slurm.says["sbatch"] = REFUSED
    world.pass_time(300)
    assert world.pilots.gave_up == "Slurm refuses to start pilots: Invalid partition name specified"
    assert world.slurm.calls == ["sbatch"]
    assert [token.is_over for token in world.folder.tokens()] == [True]


def test_refusal_beside_live_pilots_is_tried_again_later(world: World) -> None:
    """A limit of the cluster on what one user may submit."""
    world.pass_time(15)
    world.slurm.all("RUNNING")
    world.slurm.says["sbatch"] = REFUSED
    world.pass_time(100)
    assert world.pilots.gave_up == ""
    assert "Invalid partition" in world.pilots.trouble
    assert 2 <= world.slurm.calls.count("sbatch") <= 4
    world.slurm.says.clear()
    world.pass_time(100)
    assert (world.pilots.trouble, world.pilots.waiting) == ("", 2)


def test_pipe_in_place_of_a_log_does_not_hang(world: World) -> None:
    for _ in range(3):
        world.pass_time(30)
        for token in world.folder.tokens():
            path = world.folder.path / f"{token.nonce}_0.log"
            if not path.exists():
                os.mkfifo(path)
        world.slurm.took = "0:03"
        world.slurm.all("FAILED")
    world.pass_time(30)
    assert world.pilots.gave_up.endswith("The last one says: nothing")


def test_pilots_that_start_nothing_are_given_up_with_what_they_said(world: World) -> None:
    for _ in range(3):
        world.pass_time(30)
        for token in world.folder.tokens():
            (world.folder.path / f"{token.nonce}_0.log").write_text(
                "\northink\nno module torch\n\n"
            )
        world.slurm.took = "0:03"
        world.slurm.all("FAILED")
    world.pass_time(30)
    assert "pilots in a row ended within a minute without starting a run" in world.pilots.gave_up
    assert "The last one says: no module torch (" in world.pilots.gave_up
    before = world.slurm.calls.count("sbatch")
    world.pass_time(300)
    assert world.slurm.calls.count("sbatch") == before <= 2


def test_bad_node_is_excluded(restart: Callable[..., World]) -> None:
    world = restart(FakeSlurm(), pilots=1)
    for _ in range(2):
        world.pass_time(25)
        world.slurm.took = "0:03"
        world.slurm.all("FAILED")
    world.pass_time(25)
    assert "--exclude=n1" in world.slurm.options[-1]
    assert not any(each.startswith("--exclude") for each in world.slurm.options[0])


def test_kinds_of_allocation_take_turns(restart: Callable[..., World]) -> None:
    world = restart(FakeSlurm(), kinds=(("-pa",), ("-pb",)), queued=1)
    for _ in range(4):
        world.pass_time(20)
        world.slurm.all("RUNNING")
    assert [options[0] for options in world.slurm.options] == ["-pa", "-pb", "-pa", "-pb"]


@pytest.mark.parametrize("has_answer", [True, False])
def test_orch_run_that_was_killed_and_started_again_submits_no_second_set(
    restart: Callable[..., World], *, has_answer: bool
) -> None:
    """Whether or not it had heard the answer: the token was written before."""
    slurm = FakeSlurm()
    first = restart(slurm)
    first.pilots.tend(100, 0.0)  # sbatch is at work, and the process is killed
    if has_answer:
        first.pilots.tend(100, 1.0)
    assert (slurm.calls.count("sbatch"), first.folder.tokens()[0].job) == (1, "1" * has_answer)
    second = restart(slurm)
    second.pass_time(200)
    assert (slurm.calls.count("sbatch"), second.pilots.waiting) == (1, 2)
    slurm.all("RUNNING")
    second.pass_time(100)
    assert (second.pilots.live, second.pilots.waiting) == (2, 2)


def test_orch_run_that_was_killed_between_token_and_sbatch_submits_after_a_minute(
    restart: Callable[..., World],
) -> None:
    slurm = FakeSlurm()
    first = restart(slurm)
    _, lock = first.folder.begin("toy", 0, 2)
    os.close(lock)
    second = restart(slurm)
    second.pass_time(50)
    assert "sbatch" not in slurm.calls
    second.pass_time(100)
    assert slurm.calls.count("sbatch") == 1


def test_withdrawn_pilots_are_not_replaced(world: World) -> None:
    world.pass_time(15)
    world.pilots.withdraw()
    world.slurm.took = "0:01"
    world.slurm.all("CANCELLED")
    world.pass_time(100)
    assert (world.slurm.calls.count("sbatch"), "scancel" in world.slurm.calls) == (1, True)
    assert (world.pilots.gave_up, world.pilots.live, world.pilots.waiting) == ("", 0, 0)


def test_detached_pilots_are_all_submitted_at_once(world: World) -> None:
    world.pilots.submit_all()
    assert not world.pilots.is_content
    world.pass_time(5)
    assert world.pilots.is_content
    assert (world.pilots.waiting, world.slurm.calls) == (4, ["sbatch"])


@pytest.mark.parametrize("state", ["CANCELLED", "NODE_FAIL", "PREEMPTED", "TIMEOUT"])
def test_pilots_that_are_ended_from_outside_have_not_failed(world: World, state: str) -> None:
    for _ in range(4):
        world.pass_time(30)
        world.slurm.took = "0:03"
        world.slurm.all(state)
    world.pass_time(30)
    assert world.pilots.gave_up == ""


def test_pilots_that_have_begun_to_start_runs_have_not_failed(world: World) -> None:
    for _ in range(4):
        world.pass_time(30)
        for token in world.folder.tokens():
            for place in range(token.count):
                world.folder.note_begin(token.nonce, place)
        world.slurm.took = "0:03"
        world.slurm.all("FAILED")
    world.pass_time(30)
    assert world.pilots.gave_up == ""
