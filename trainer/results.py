"""The results of a run that is done: its report, and the points of its test."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from trainer.extending import read_extended
from trainer.numbers_version import NUMBERS
from trainer.run_files import Progress, json_numbers
from trainer.state_digest import digest_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainer.compute_environment import Environment
    from trainer.early_stopping import EarlyStopping
    from trainer.history import History, MetricPoint
    from trainer.run_config import Watch
    from trainer.run_files import Outputs


class Done(Protocol):
    """The parts of a trainer that the report needs."""

    iteration: int
    history: History
    stopping: EarlyStopping
    watch: Watch
    outputs: Outputs
    numbers_before: list[int]
    environment: Environment
    environment_changes: list[str]


def report(
    run: Done,
    iterations: int,
    test_results: dict[str, float],
    final_points: Sequence[MetricPoint],
    final_state: str,
) -> None:
    """Write the results; they are on the disk when this returns.

    Args:
        run: The run.
        iterations: The number of iterations that it was configured for.
        test_results: The metrics of the test.
        final_points: The points of the last iteration.
        final_state: The digest of all modules after the last iteration.
    """
    history = run.history
    history.add_test(run.iteration, test_results, timestamp=time.time_ns() // 1_000_000)
    points = [*final_points, *history.points]
    progress = Progress(
        run.iteration, iterations, points, run.stopping.reason, is_total_read=run.watch.is_read
    )
    run.outputs.publish(progress)
    best = {} if history.best_value is None else {history.metric: history.best_value}
    run.outputs.write_results(
        {
            "test": json_numbers(test_results),
            "best": {"iteration": history.best_iteration, **json_numbers(best)},
            "final": json_numbers({point.key: point.value for point in final_points}),
            "iterations": run.iteration,
            "stopped_early": progress.stopped_early,
            "extends": read_extended(run.outputs.run_dir),
            "numbers": NUMBERS,
            "numbers_before": run.numbers_before,
            "digest": digest_of([final_state, history.digest]),
            "environment": run.environment,
            "environment_changes": run.environment_changes,
        }
    )
