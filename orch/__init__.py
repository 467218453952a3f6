"""The Python side of run directories: for training scripts, and for notebooks.

    import orch

    run = orch.current()
    for epoch in range(epochs):
        run.log({"validation/loss": loss}, step=epoch)
        run.progress(epoch + 1, epochs)
    run.finish({"test/accuracy": accuracy})

Outside ``orch`` the same lines write nothing and change nothing, so a script keeps working when it
is started by hand. Needs nothing but the standard library, and Python 3.9 or newer.

    grid = orch.load("results/digits")
    grid.frame()  # pandas: one row per run

That reads what runs have left, finished or not.
"""

from __future__ import annotations

TYPE_CHECKING = False  # known to type checkers; importing typing would double the import time

if TYPE_CHECKING:
    import os

    from orch.loaded_grid import LoadedGrid
    from orch.run import Run

__all__ = ["current", "load"]


def current() -> Run:
    """Return the run that this process carries out; the same object each time.

    It writes nothing outside ``orch``, and in all processes of a distributed training but the first
    (``RANK``, or ``SLURM_PROCID``, other than 0).
    """
    from orch.run import current_run  # noqa: PLC0415 # importing orch stays fast

    return current_run()


def load(path: str | os.PathLike[str]) -> LoadedGrid:
    """Load the runs of an experiment from its folder, such as ``results/digits``.

    Only names are read at once, everything else on access. Nothing is written.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It has no runs.
    """
    from orch.loaded_grid import load_grid  # noqa: PLC0415 # importing orch stays fast

    return load_grid(path)
