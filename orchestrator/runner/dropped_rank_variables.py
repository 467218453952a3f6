"""The variables by which Slurm and MPI tell a process its rank.

A run inside an allocation is not one of its tasks. Libraries that find a rank take over: they wait
for other ranks, or requeue the job on signals.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

_RANKS: Final = re.compile(
    r"SLURM_(PROCID|LOCALID|NODEID|NTASKS|NPROCS|GTIDS|DISTRIBUTION|TASK_PID|TASKS_PER_|NTASKS_PER_"
    r"|STEP|SRUN_|LAUNCH_|TOPOLOGY_)|PMI_|PMI2_|PMIX_|OMPI_COMM_|MV2_COMM_|MPI_LOCALN?RANK"
)


def without_ranks(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without the variables that tell a rank; the job's own stay."""
    return {name: value for name, value in environment.items() if not _RANKS.match(name)}


def forget_ranks(environment: MutableMapping[str, str]) -> None:
    """Remove the variables that tell a rank: libraries read them when they are imported, too."""
    for name in [name for name in environment if _RANKS.match(name)]:
        del environment[name]
