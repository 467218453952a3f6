"""Run ``python -m orchestrator.runner``: one attempt of one run.

Once this process has forked the runner, it is the keeper. Before the fork, it loads nothing that only
the runner needs: a fork copies the memory it touches.
"""

import gc
import signal
import sys
from collections.abc import Sequence
from functools import partial

from orchestrator.runner.attempt_program import SIGNALS
from orchestrator.runner.runner_guard import Keeper, Kept, watch_over


def main(arguments: Sequence[str]) -> int:
    """Carry out ``RUN_DIR ATTEMPT LIMITS... N PATTERN... COMMAND...``; return the verdict."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    return watch_over(partial(_be_runner, arguments), _take_over)


def _be_runner(arguments: Sequence[str], keeper: Keeper) -> int:
    gc.disable()  # what is imported lives to the end
    from pathlib import Path  # noqa: PLC0415 # not for the keeper

    from orchestrator.rundir.directory import RunDirectory  # noqa: PLC0415
    from orchestrator.runner.attempt_program import Command  # noqa: PLC0415
    from orchestrator.runner.incoming_signals import IncomingSignals  # noqa: PLC0415
    from orchestrator.runner.runner import Links, work  # noqa: PLC0415
    from orchestrator.runner.time_limits import NO_LIMITS, Limits  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    run_dir, attempt, *rest = arguments
    count = len(NO_LIMITS.as_arguments())
    limits, patterns = Limits.from_arguments(rest[:count]), int(rest[count])
    metric_patterns, command = rest[count + 1 :][:patterns], rest[count + 1 + patterns :]
    directory = RunDirectory(Path(run_dir))
    program = Command(tuple(command), tuple(metric_patterns))
    links = Links(keeper, IncomingSignals())
    verdict, complaint = work(directory, int(attempt), program, limits, links)
    sys.stderr.write(complaint)
    return verdict


def _take_over(kept: Kept) -> int:
    from orchestrator.runner.takeover import take_over  # noqa: PLC0415 # hardly ever

    return take_over(kept)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
