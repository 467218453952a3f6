"""Jobs are read from Slurm's queue, whatever else stands there."""

from hypothesis import given
from hypothesis.strategies import text

from orchestrator.slurm.jobs import Job, parse_queue

QUEUE = """\
2_1|2|orch-a-c|PENDING|N/A||0:00|Priority
1_0|3|orch-a-b|RUNNING|2026-11-29T09:28:40|n1|1:05|None
4|4|orch-a-d|PENDING|2026-11-29T10:00:00||0:00|ReqNodeNotAvail, UnavailableNodes:n|1
5|5|orch-a-e|NODE_FAIL|2026-11-29T09:00:00|n2|2:00|NonZeroExitCode
slurm_load_jobs error: something
"""


def test_jobs_are_read() -> None:
    pending, running, held, failed = parse_queue(QUEUE)
    assert pending == Job("2_1", "2", "orch-a-c", "PENDING", "", "", 0.0, "Priority")
    assert running == Job("1_0", "3", "orch-a-b", "RUNNING", running.start, "n1", 65.0, "None")
    assert held.reason == "ReqNodeNotAvail, UnavailableNodes:n|1"
    assert [job.is_waiting for job in (pending, running, held, failed)] == [
        True,
        False,
        True,
        False,
    ]
    assert [job.is_live for job in (pending, running, held, failed)] == [False, True, False, False]


@given(text())
def test_anything_may_be_printed(output: str) -> None:
    for job in parse_queue(output):
        assert isinstance(job, Job)
