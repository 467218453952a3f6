"""A run inside an allocation sees its job and its devices, and no rank."""

import pytest

from orchestrator.runner.dropped_rank_variables import forget_ranks, without_ranks


@pytest.mark.parametrize(
    "name",
    [
        *("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_NTASKS", "SLURM_NPROCS"),
        *("SLURM_NTASKS_PER_NODE", "SLURM_TASKS_PER_NODE", "SLURM_TASK_PID", "SLURM_STEP_ID"),
        *("SLURM_STEPID", "SLURM_STEP_NUM_TASKS", "SLURM_GTIDS", "SLURM_SRUN_COMM_HOST"),
        *("SLURM_LAUNCH_NODE_IPADDR", "PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK"),
        *("MV2_COMM_WORLD_RANK", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"),
    ],
)
def test_rank_is_left_out(name: str) -> None:
    assert without_ranks({name: "0", "HOME": "/root"}) == {"HOME": "/root"}
    environment = {name: "0", "HOME": "/root"}
    forget_ranks(environment)
    assert environment == {"HOME": "/root"}


@pytest.mark.parametrize(
    "name",
    [
        *("SLURM_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_JOB_END_TIME", "SLURM_CONF"),
        *("SLURM_JOB_NODELIST", "SLURMD_NODENAME", "CUDA_VISIBLE_DEVICES", "RANK_OF_MINE"),
    ],
)
def test_everything_else_stays(name: str) -> None:
    assert without_ranks({name: "0"}) == {name: "0"}
