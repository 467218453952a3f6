"""A witness that is independent of orch: programs of tests tell it that they execute a run.

It is copied beside a program, which imports it. Each process leaves a file with its identity, and then
looks for live ones of the same run: of two that execute a run at once, at least one sees the other.
"""

import os
from pathlib import Path

FOLDER = Path("witness")
OVERLAPS = Path("overlaps")


def begin() -> None:
    """Tell that this process executes its run, and write down who else does."""
    run_id = Path(os.environ["ORCH_RUN_DIR"]).name
    own = FOLDER / run_id / _identity(os.getpid())
    own.parent.mkdir(parents=True, exist_ok=True)
    own.touch()
    for other in own.parent.iterdir():
        if other.name != own.name and _is_live(other.name):
            with OVERLAPS.open("a") as file:
                file.write(f"{run_id} {other.name} {own.name}\n")


def end() -> None:
    """Tell that this process executes its run no more."""
    run_id = Path(os.environ["ORCH_RUN_DIR"]).name
    (FOLDER / run_id / _identity(os.getpid())).unlink(missing_ok=True)


def _identity(pid: int) -> str:
    """Return a process ID with the time at which its process began: IDs are used again."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    state, began = fields[0], fields[19]
    return f"{pid}-{began}" if state not in "ZX" else ""


def _is_live(identity: str) -> bool:
    try:
        return _identity(int(identity.partition("-")[0])) == identity
    except OSError:
        return False
