"""All descendants of a process are found, signalled and reaped, daemons included."""

import os
import select
import signal
import subprocess
import sys
import time

from orchestrator.runner import process_tree

# A shell with a child, and a daemon that has left the session; each prints its process ID.
FAMILY = "sleep 999 & echo $!; (setsid sh -c 'echo $$; exec sleep 999' &) ; echo done; wait"
# Adopts its orphans, starts the family, and does what the test says.
ADOPTER = """
import os, signal, subprocess, sys
from orchestrator.runner import process_tree
process_tree.adopt_orphans()
shell = subprocess.Popen(["sh", "-c", sys.argv[1]], stdout=subprocess.PIPE, text=True)
lines = [shell.stdout.readline().strip() for _ in range(3)]
daemons = sorted(int(line) for line in lines if line.isdigit())
{}
"""


def adopted(then: str) -> str:
    """Return what a process prints that has adopted a family."""
    script = ADOPTER.format(then)
    return subprocess.run(
        [sys.executable, "-c", script, FAMILY], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_processes_of_other_sessions_are_below() -> None:
    said = adopted(
        "print(set(daemons) <= set(process_tree.below(os.getpid())));"
        "process_tree.send(signal.SIGKILL)"
    )
    assert said == "True"


def test_signal_reaches_all_and_all_are_reaped() -> None:
    said = adopted(
        "process_tree.send(signal.SIGKILL)\n"
        "while process_tree.reap():\n    process_tree.send(signal.SIGKILL)\n"
        "print(process_tree.below(os.getpid()))"
    )
    assert said == "[]"


def test_process_is_gone_once_it_was_reaped() -> None:
    child = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 7"], {})
    with process_tree.end_of(child) as end:
        assert select.select([end], [], [], 60)[0]
    assert not process_tree.is_gone(child)
    os.waitpid(child, 0)
    assert process_tree.is_gone(child)


def test_one_child_may_be_left_unreaped() -> None:
    """Its exit code is still to be read."""
    child = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 7"], {})
    with process_tree.end_of(child) as end:
        assert select.select([end], [], [], 60)[0]
    assert process_tree.exit_code_of(child) == 7
    assert process_tree.reap(besides=child)
    assert child in process_tree.children()
    assert os.waitpid(child, 0)[1] == 7 << 8


def test_death_by_a_signal_is_a_negative_exit_code() -> None:
    child = os.posix_spawn("/bin/sh", ["sh", "-c", "kill -9 $$"], {})
    assert process_tree.exit_code_of(child) == -signal.SIGKILL
    os.waitpid(child, 0)


def test_stopped_process_is_recognized() -> None:
    child = os.posix_spawn("/bin/sleep", ["sleep", "999"], {})
    assert not process_tree.is_stopped(child)
    os.kill(child, signal.SIGSTOP)
    os.waitid(os.P_PID, child, os.WSTOPPED)
    assert process_tree.is_stopped(child)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert not process_tree.is_stopped(child)


def test_process_that_is_gone_has_nothing_below_it() -> None:
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(child, 0)
    assert process_tree.below(child) == []


def test_process_that_has_ended_is_ending_before_it_is_reaped() -> None:
    """So a fork server knows that orch was killed before the kernel has given it another parent."""
    assert not process_tree.is_ending(os.getpid())
    child = os.fork()
    if not child:
        os._exit(0)
    with process_tree.end_of(child) as end:
        assert select.select([end], [], [], 60)[0]
    assert process_tree.is_ending(child)
    os.waitpid(child, 0)
    assert process_tree.is_ending(child)


def test_age_is_that_of_the_process() -> None:
    """It does not depend on the clock that users set."""
    before = time.monotonic()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        age = process_tree.age_of(child.pid)
        assert -0.02 <= age <= time.monotonic() - before + 0.02  # ticks
        assert process_tree.age_of(os.getpid()) >= age
