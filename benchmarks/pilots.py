"""Measures what many pilots on one experiment cost, without Slurm and without executing anything.

``python benchmarks/pilots.py [RUNS...]`` (hundreds): the plan, its preparation, the start of a pilot, claims by 64
pilots that take turns, and ``orch status``, and how their costs grow with the number of runs. Nothing is
written durably: what the disk takes is another matter.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.planning.load import ConfigSource, load_plan
from orchestrator.planning.plan import decide
from orchestrator.planning.work_file import CommandLine, open_work, prepare_work
from orchestrator.rundir.records import now
from orchestrator.rundir.state import Record, State, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from orchestrator.planning.executable_plan import Work
    from orchestrator.planning.plan import Decision

PILOTS = 64
CLAIMS = 320  # at most, at the beginning, and again when all but as many runs are done
CONFIG = """\
results_dir: results
experiment_id: measured
optimizer: {lr: 0.1}
seed: 0
orch: {command: ["true"], tracking: {enabled: false}}
"""


def grid(runs: int) -> list[str]:
    """Return the overrides of a grid."""
    rates = ",".join(f"{0.001 * (n + 1):.3f}" for n in range(runs // 100))
    return [f"optimizer.lr={rates}", "seed=range(100)"]


def command(*words: str) -> float:
    """Return the processor time of a command of ``orch``, in seconds."""
    orch = str(Path(sys.executable).with_name("orch"))
    process = subprocess.Popen([orch, *words], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, words)
    return used.ru_utime + used.ru_stime


def processor(work: Callable[[], object]) -> float:
    """Return the processor time that something takes, in seconds."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def claim(work: Work, queue: Iterator[Decision]) -> bool:
    """Go through a queue to the first run that is open, and execute it: it takes no time."""
    for decision in queue:
        directory = work.experiment.run(decision.run.run_id)
        if decide(decision.run, seen := directory.observe()).action is not decision.action:
            continue  # another pilot was faster
        work.experiment.create(decision.run)
        descriptor = directory.lock.open()
        try:
            if not directory.lock.take(descriptor):
                continue
            attempt = seen.attempts + 1
            directory.write_status(Status(Record.RUNNING, attempt, now(), "node", os.getpid()))
            directory.write_status(
                Status(Record.DONE, attempt, now(), "node", os.getpid(), ended_at=now())
            )
        finally:
            os.close(descriptor)
        return True
    return False


def claim_in_turns(work: Work, decisions: Sequence[Decision], claims: int) -> None:
    """Let each pilot claim in turn, every one with a queue of its own."""
    queues = [iter(decisions) for _ in range(PILOTS)]
    for number in range(claims):
        if not claim(work, queues[number % PILOTS]):
            raise RuntimeError("no run is left")


def finish(work: Work, decisions: Sequence[Decision]) -> None:
    """Mark runs as done."""
    for decision in decisions:
        work.experiment.run(decision.run.run_id).write_status(
            Status(Record.DONE, 1, now(), "node", 1, ended_at=now())
        )


def main() -> None:
    """Measure each number of runs."""
    counts = [*map(int, sys.argv[1:])] or [1000, 10_000, 100_000]
    if any(runs < 100 or runs % 100 for runs in counts):  # noqa: PLR2004 # the seeds of the grid
        sys.exit("RUNS: give whole hundreds")
    os.fsync = lambda _: None  # type: ignore[assignment]
    print(f"{'runs':>7} {'what':36} {'processor':>10}")
    for runs in counts:
        with tempfile.TemporaryDirectory() as folder:
            measure_all(Path(folder).resolve(), runs)
            os.chdir("/")


def measure_all(folder: Path, runs: int) -> None:
    """Print what each step takes with a number of runs."""

    def show(what: str, seconds: float, unit: str = "s") -> None:
        print(f"{runs:7} {what:36} {seconds:8.2f} {unit}", flush=True)

    (folder / "conf").mkdir()
    (folder / "conf/config.yaml").write_text(CONFIG)
    os.chdir(folder)
    words = grid(runs)
    show("orch plan", command("plan", *words))
    planned = load_plan(ConfigSource(Path("conf"), "config", words))
    given = CommandLine("conf", "config", None, tuple(words))
    seconds = processor(lambda: prepare_work(planned, given, {}, print))
    show("orch run --prepare, per run", 1000 * seconds / runs, "ms")
    found: list[Work] = []
    show(
        "start of a pilot",
        processor(lambda: found.append(open_work(folder / "results/measured").work)),
    )
    (work,) = found
    decisions = [each for each in work.starts() if each.seen.state is State.PENDING]
    claims = min(CLAIMS, runs // 3)
    taken = processor(lambda: claim_in_turns(work, decisions, claims))
    show(f"a claim, of {PILOTS} pilots, first runs", 1000 * taken / claims, "ms")
    finish(work, decisions[claims:-claims])
    late = decisions[-2 * claims :]  # each pilot has passed what was done before
    taken = processor(lambda: claim_in_turns(work, late, claims))
    show(f"a claim, of {PILOTS} pilots, last runs", 1000 * taken / claims, "ms")
    show("orch status", command("status", *words))
    show("start of a pilot, all done", processor(lambda: open_work(folder / "results/measured")))


if __name__ == "__main__":
    main()
