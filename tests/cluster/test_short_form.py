"""A grid on a real Slurm, in its short form: a pilot is cancelled, and the results are those of one box."""

from .conftest import Project, expected
from .small_slurm import until


def test_small_grid_is_done_although_a_pilot_is_cancelled(project: Project) -> None:
    """Skipped with the reason where Slurm is not installed; ``make cluster`` has the long form."""
    orch = project.start("run", "lr=0.1,0.2", "seed=0,1", "steps=8", "orch.slurm.pilots=2")
    until(lambda: len(project.experiment.runs()) == 4 and project.is_executing(), "a pilot")
    until(
        lambda: any(
            run.outcome().results or run.metrics.exists() for run in project.experiment.runs()
        ),
        "a run",
    )
    running = [each.split()[0] for each in project.jobs() if " RUNNING " in each]
    project.slurm.run("scancel", *running[:1])
    assert orch.wait(200) == 0, (project.folder / "output").read_text()
    assert project.overlaps() == ""
    assert project.results() == expected([0.1, 0.2], [0, 1], 8)
