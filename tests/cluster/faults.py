"""What fails on a cluster: each function lets it happen at once."""

import random
import time

from .small_slurm import NODES, SmallSlurm


def _busy(slurm: SmallSlurm, chance: random.Random) -> str:
    """Return a node that executes a pilot, if there is one."""
    nodes = slurm.run("squeue", "-h", "-t", "RUNNING", "-o", "%N").stdout.split()
    return chance.choice(sorted({*nodes} & {*NODES}) or NODES)


def cancel(slurm: SmallSlurm, chance: random.Random) -> None:
    jobs = slurm.run("squeue", "-h", "-r", "-t", "RUNNING", "-o", "%i").stdout.split()
    if jobs:
        slurm.run("scancel", chance.choice(jobs))


def crash(slurm: SmallSlurm, chance: random.Random) -> None:
    node = _busy(slurm, chance)
    slurm.crash(node)
    slurm.boot(node)


def cut(slurm: SmallSlurm, chance: random.Random) -> None:
    node = _busy(slurm, chance)
    slurm.cut(node)
    time.sleep(5)
    slurm.boot(node)


def lose_controller(slurm: SmallSlurm, chance: random.Random) -> None:
    slurm.kill_controller()
    time.sleep(chance.uniform(0, 5))
    slurm.start_controller()


def lose_step_daemon(slurm: SmallSlurm, chance: random.Random) -> None:
    slurm.kill_step_daemons(_busy(slurm, chance))


def preempt(slurm: SmallSlurm, chance: random.Random) -> None:
    words = ("-p", "urgent", "-w", _busy(slurm, chance), "--exclusive", "-o", "/dev/null")
    slurm.run("sbatch", *words, given="#!/bin/sh\nsleep 3\n")


FAULTS = {
    each.__name__: each for each in (cancel, crash, cut, lose_controller, lose_step_daemon, preempt)
}
