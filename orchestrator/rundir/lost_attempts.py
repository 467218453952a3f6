"""Lost attempts: those that a cluster's job took with it, so that nobody recorded how they ended.

A job ends so if its memory runs out, or its node fails. Which of the two it was is not known from the
run's directory; a run that is lost repeatedly, and saves nothing in between, may be what ends its jobs.
"""

from __future__ import annotations

from typing import Final

MOST_LOST: Final = 3  # a run that is lost so often in a row has failed


def describe_loss(times: int, job: str | None, node: str | None) -> str:
    """Return why a run that was lost so often in a row has failed."""
    where = f"job {job}{f' on node {node}' if node else ''}"
    return (
        f"{times} times in a row its job ended without a record before the run had saved anything,"
        f" the last time {where}. It may need more memory than the job has"
    )
