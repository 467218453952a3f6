"""Signals of all kinds hit all processes of several orchestrators: what finished stays finished."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import sqlite3
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from world import PROJECT, Call, MakeWorld, ProcessCall, World, environment, read

from orchestrator.runner import process_tree

PROGRAM = PROJECT / "storm_program.py"
HERE = f"orch.command=[{sys.executable},-I,-S,{PROGRAM},here]"
BELOW = f"orch.command=[{sys.executable},-I,-S,{PROGRAM},below]"
DETACHED = f"orch.command=[{sys.executable},-I,-S,{PROGRAM},detached]"
SHELL = (
    f"orch.command=[sh,-c,'trap : TERM INT HUP; {sys.executable} -I -S {PROGRAM} here; exit $?']"
)
FORKED = ("+orch.entry_point=storm_program:main", "+orch.arguments=[here]")
WAYS = ((HERE,), (BELOW,), (DETACHED,), (SHELL,), FORKED)
ASKING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
KINDS = (
    *[signal.SIGKILL] * 6,
    *ASKING,
    signal.SIGQUIT,
    signal.SIGSTOP,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
HARMLESS = (signal.SIGCONT, signal.SIGWINCH, signal.SIGURG, signal.SIGCHLD)
RUNS = 12
BETWEEN = 25  # signals that fall before the storm waits for another program to begin
LULL = 4.0  # seconds
PATIENCE = 60.0  # seconds


class NamespaceCall(ProcessCall):
    """A call of ``orch`` in a PID namespace of its own, as in a container: it ends with its first process."""

    def _fork(self) -> int:
        pid = Call._fork(self)
        if pid == 0:
            os.chdir(self.world.folder)
            inside = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
            command = [*inside, sys.executable, "-m", "orchestrator", *self.arguments]
            os.execvpe(command[0], command, {**os.environ, **environment()})  # noqa: S606
        return pid


@dataclass
class Struck:
    """What was hit: processes by name, attempts of programs, and the groups of runners and keepers.

    A program that has finished may be repeated only where nobody could tell of it: a process of its
    own was killed, or both its runner and its keeper, which are a process group.
    """

    chance: random.Random
    signals: Counter[str] = field(default_factory=Counter)
    processes: set[str] = field(default_factory=set)
    namespaces: set[str] = field(default_factory=set)
    programs: set[tuple[str, int]] = field(default_factory=set)
    groups: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    keepers: dict[tuple[str, int], set[int]] = field(default_factory=lambda: defaultdict(set))
    asked: set[int] = field(default_factory=set)
    stopped: list[int] = field(default_factory=list)
    blows: list[str] = field(default_factory=list)

    def strike(self, world: World) -> None:
        """Send a signal of some kind to some process of a world, and wake one that was stopped."""
        living = world.processes()
        if not living:
            return
        pid = self.chance.choice(living)
        number = self.chance.choice(KINDS if self.chance.random() < 0.8 else HARMLESS)
        if number in ASKING:  # asked twice, orch kills what may have said its last word just now
            number = signal.SIGCONT if pid in self.asked else number
            self.asked.add(pid)
        with contextlib.suppress(OSError):
            self._remember(pid, number)
            os.kill(pid, number)
            self.signals[number.name] += 1
            if number == signal.SIGSTOP:
                self.stopped.append(pid)
        if self.stopped and self.chance.random() < 0.5:
            self.wake(self.stopped.pop(0))

    def wake(self, pid: int) -> None:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGCONT)

    def is_unkept(self, attempt: tuple[str, int]) -> bool:
        """Tell whether both the runner and the keeper of an attempt were hit."""
        return any(len(self.groups[group]) > 1 for group in self.keepers[attempt])

    def _remember(self, pid: int, number: int) -> None:
        """Remember a blow that may have cost the run its end, before it falls."""
        if number in HARMLESS or number == signal.SIGSTOP:
            return
        name = name_of(pid)
        self.processes.add(name)
        kept = f"keeps {kept_by(pid)}, group {os.getpgid(pid)}"
        self.blows.append(f"{time.time():.3f} {signal.Signals(number).name} {name} {kept}")
        # A namespace dies with its first process, which ends with orch: as a container does.
        for each in (pid, *process_tree.below(pid)):
            numbers = numbers_of(each)
            if len(numbers) > 1 and numbers[-1] == 1:
                self.namespaces.add(name_of(each).partition("/")[0])
        if number in ASKING:
            return  # who has finished does not hear them
        if attempt := executed_by(pid):  # a shell says nothing
            self.programs.add(attempt)
            return
        group = os.getpgid(pid)
        # SIGQUIT has the program killed, whichever of the two gets it.
        self.groups[group] |= {pid, -pid} if number == signal.SIGQUIT else {pid}
        if attempt := kept_by(pid):
            self.keepers[attempt].add(group)


def executed_by(pid: int) -> tuple[str, int] | None:
    """Return the attempt to which a process belongs that was started as a program, or below one."""
    variables = Path(f"/proc/{pid}/environ").read_text(errors="replace").split("\0")
    known = dict(each.partition("=")[::2] for each in variables)
    if "ORCH_ATTEMPT" not in known:
        return None
    return known["ORCH_RUN_ID"], int(known["ORCH_ATTEMPT"])


def kept_by(pid: int) -> tuple[str, int] | None:
    """Return the attempt whose lock a process has open: as its runner or its keeper."""
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if (path := descriptor.readlink()).name == "run.lock":
                status = read(path.with_name("status.json")) or {}
                return path.parent.name, status.get("attempt", 0)
    return None


def numbers_of(pid: int) -> list[int]:
    """Return what a process is called here, and in its PID namespace last."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return [int(word) for word in line.split()[1:]]
    return []


def name_of(pid: int) -> str:
    """Return what the program calls itself.

    Raises:
        OSError: It is not there any more.
    """
    numbers = numbers_of(pid)
    if not numbers:
        raise ProcessLookupError(pid)
    return f"{Path(f'/proc/{pid}/ns/pid').readlink()}/{numbers[-1]}"


def is_over(call: Call) -> bool:
    return os.waitid(os.P_PIDFD, call.end, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def wrong(world: World, struck: Struck) -> list[str]:
    """Say what the witness saw that must not be."""
    found: list[str] = []
    parts: dict[tuple[str, int], set[str]] = defaultdict(set)
    finished: dict[str, int] = {}
    for line in world.notes("witness/said"):
        what, run_id, number, name, *_ = line.split()
        attempt = int(number)
        parts[run_id, attempt].add(name)
        if what == "twice":
            found.append(f"{run_id}: attempt {attempt} began while another lived")
        if what == "start" and run_id in finished and finished[run_id] != attempt:
            told = f"{run_id}: attempt {finished[run_id]} had finished, and was repeated"
            found.append(f"{told}\n{explain(world, run_id, struck)}")
        if what == "end":
            finished[run_id] = attempt
        hit = parts[run_id, attempt] & struck.processes
        hit |= {each.partition("/")[0] for each in parts[run_id, attempt]} & struck.namespaces
        is_hit = bool(hit) or (run_id, attempt) in struck.programs
        # It may have been hit behind its last word, and nobody may be left who could tell.
        if what == "end" and (is_hit or struck.is_unkept((run_id, attempt))):
            finished.pop(run_id, None)
    said = [path.read_text(errors="replace") for path in world.folder.glob("said/*")]
    return found + [text for text in said if "Traceback" in text and not is_pythons(text)]


def explain(world: World, run_id: str, struck: Struck) -> str:
    """Return all that is known of a run: its witness, its logs, what orch said of it, and what was hit."""
    said = [line for line in world.notes("witness/said") if run_id in line]
    logs = [
        f"{path.name}: {path.read_text(errors='replace')[-500:]}"
        for path in sorted(world.folder.glob(f"results/*/training/{run_id}/logs/*"))
    ]
    told = [
        f"{path.name}: {line}"
        for path in sorted(world.folder.glob("said/*"))
        for line in path.read_text(errors="replace").splitlines()
        if run_id[:8] in line
    ]
    return "\n".join([*said, *logs, *told, *struck.blows[-200:]])


def is_pythons(text: str) -> bool:
    """Tell whether a signal met Python while it was starting, before anything of ours could answer."""
    is_loading = "<frozen importlib._bootstrap" in text or ", in main\n" not in text
    has_begun = "Fatal Python error: init" not in text
    return not has_begun or ("KeyboardInterrupt" in text and is_loading)


def storm(world: World, signals: int, *, kinds: tuple[type[Call], ...], reported: bool) -> Struck:
    """Let signals fall on orchestrators whose grids overlap, until enough have."""
    struck = Struck(random.Random(signals))  # noqa: S311 # no secret
    way = (
        *struck.chance.choice(WAYS),
        "--retries=2",
        f"orch.tracking.enabled={str(reported).lower()}",
    )
    calls: list[Call] = []
    begun, lull = 0, 0  # programs, and the signals that may fall before another one begins
    while struck.signals.total() < signals:
        calls = [call for call in calls if not (is_over(call) and call.collect())]
        while len(calls) < 6:
            some = sorted(struck.chance.sample(range(RUNS), 6))
            grid = (f"seed={','.join(map(str, some))}", *way, "--workers=2")
            kind = struck.chance.choice(kinds)
            calls.append(world.call("run", *grid, kind=kind))
        time.sleep(struck.chance.uniform(0, 0.04))
        if (now := starts(world)) > begun:
            begun, lull = now, struck.signals.total() + BETWEEN
        # On a busy machine nothing else would be hit than what is still starting.
        if struck.signals.total() < lull or not wait_for_start(world, begun):
            struck.strike(world)
        if len({int(run.name, 16) for run in done(world)}) == RUNS:
            break
    for pid in struck.stopped:
        struck.wake(pid)
    for call in calls:
        if not is_over(call):
            with contextlib.suppress(ProcessLookupError):
                os.kill(call.pid, signal.SIGCONT)
        call.wait()
    world.grid = (f"seed=range({RUNS})", *way, "--workers=2")
    return struck


def starts(world: World) -> int:
    """Return how many programs have begun."""
    return sum(line.startswith("start") for line in world.notes("witness/said"))


def wait_for_start(world: World, begun: int) -> bool:
    """Wait until another program has begun, a few seconds at most: all of orch may be stopped."""
    until = time.monotonic() + LULL
    while time.monotonic() < until:
        if starts(world) > begun:
            return True
        time.sleep(0.05)
    return False


def done(world: World) -> list[Path]:
    return [
        each
        for each in world.directories()
        if (read(each / "status.json") or {}).get("state") == "done"
    ]


def described(pid: int) -> str:
    """Return what a process is, and what it does: on a busy machine, it may just be ending."""
    with contextlib.suppress(OSError):
        words = (
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        )
        state = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
        return f"{pid} in state {state}: {words[:200]}"
    return f"{pid}, which has ended"


def lasting(world: World) -> list[int]:
    """Return the processes that are left; a reporter whose orch was killed sends the rest, and ends."""
    until = time.monotonic() + PATIENCE
    while (left := world.processes()) and all(map(is_reporter, left)) and time.monotonic() < until:
        time.sleep(0.05)
    return left


def is_reporter(pid: int) -> bool:
    """Tell whether a process sends to MLflow, or has ended."""
    with contextlib.suppress(OSError):
        return b"orchestrator.tracking" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return True


def heal(world: World) -> list[str]:
    """Repeat the command: once for what is left, and once for nothing."""
    found = []
    for _ in range(3):  # a run that has failed for all that hit it is retried
        ended = world.run()
    if ended.code:
        found.append(f"a run needs a hand ({ended.code}): {ended.said}")
    said = world.notes("witness/said")
    if (again := world.run()).code or world.notes("witness/said") != said:
        found.append(f"the call after the last did something: {again.said}")
    if left := lasting(world):
        found.append(f"processes are left: {[described(pid) for pid in left]}")
    return found


def miscounted(world: World) -> list[str]:
    """Say which points MLflow lacks, or has twice.

    A busy machine may take longer to create a store than ``orch run`` waits, which then says so.
    """
    grid = [each for each in world.grid if not each.startswith("--")]
    for _ in range(3):
        if (ended := world.call("sync", *grid).wait()).code == 0:
            break
    if ended.code not in {0, 3}:  # 3 says that the store takes too long
        return [f"orch sync ended with {ended.code}: {ended.said}"]
    sent: Counter[tuple[str, int]] = Counter()
    with contextlib.closing(sqlite3.connect(world.folder / "results/mlflow.db")) as store:
        names = "SELECT t.value, m.step FROM metrics m JOIN tags t ON t.run_uuid = m.run_uuid"
        sent.update(
            store.execute(f"{names} WHERE t.key = 'orch.run_id' AND m.key = 'x'").fetchall()
        )
    wanted = Counter((each.name, step) for each in world.directories() for step in range(4))
    return [f"{point}: {sent[point]} points" for point in wanted | sent if sent[point] != 1]


def blow(
    make_world: MakeWorld, signals: int, kinds: tuple[type[Call], ...], *, reported: bool
) -> list[str]:
    """Let storms go over worlds until enough signals have fallen; return all that was wrong.

    After each world it prints what has been counted so far, for ``pytest -s``: a long storm may be ended early.
    """
    found: list[str] = []
    fallen: Counter[str] = Counter()
    attempts = 0
    for number in itertools.count(1):
        if fallen.total() >= signals:
            break
        world = make_world()
        struck = storm(world, signals - fallen.total(), kinds=kinds, reported=reported)
        fallen += struck.signals
        found += heal(world) + wrong(world, struck)
        attempts += starts(world)
        if reported:
            found += miscounted(world)
        counts = f"{fallen.total()} signals {dict(fallen)}, {attempts} programs begun"
        print(f"world {number}: {counts}, {len(found)} wrong", flush=True)
        if found:
            break
    return found


def test_storm_costs_nothing(make_world: MakeWorld) -> None:
    """Six orchestrators at a time, whose grids overlap; programs below launchers that close the lock."""
    assert blow(make_world, 21, (Call,), reported=False) == []


@pytest.mark.soak
@pytest.mark.parametrize("reported", [False, True], ids=["plain", "reported"])
def test_long_storm_costs_nothing(make_world: MakeWorld, *, reported: bool) -> None:
    """Twenty thousand signals, some of them on orchestrators in PID namespaces of their own."""
    signals = int(os.environ.get("STORM", "20000"))
    kinds = (Call, Call, Call, ProcessCall, NamespaceCall if os.geteuid() == 0 else Call)
    assert blow(make_world, signals, kinds, reported=reported) == []
