"""A pilot has ended if Slurm says so, or does not show it in two answers a minute apart."""

from dataclasses import replace

import pytest

from orchestrator.slurm.jobs import Job
from orchestrator.slurm.submission_records import PilotToken
from orchestrator.slurm.watched_submission import WatchedToken

TOKEN = PilotToken("01234567", "orch-toy-01234567", 0, 2, "now", job="7")


def job(key: str = "7_0", state: str = "RUNNING", name: str = TOKEN.name) -> Job:
    return Job(key, "8", name, state, "", "n1", 30.0, "None")


def look(
    watched: WatchedToken, *jobs: Job, moment: float = 0.0, is_submitting: bool = False
) -> list[str]:
    return [each.key for each in watched.look(jobs, moment, is_submitting=is_submitting)]


def test_pilots_wait_run_and_end() -> None:
    watched = WatchedToken(TOKEN)
    assert (watched.waiting, watched.live, watched.is_known) == (2, 0, False)
    assert look(watched, job(), job("7_1", "PENDING")) == []
    assert (watched.waiting, watched.live, watched.is_known) == (1, 1, True)
    assert look(watched, job(state="COMPLETED"), job("7_1")) == ["7_0"]
    assert (watched.waiting, watched.live, watched.is_over) == (0, 1, False)
    assert look(watched, job("7_1", "NODE_FAIL")) == ["7_1"]
    assert watched.is_over


@pytest.mark.parametrize("state", ["COMPLETING", "SUSPENDED", "CONFIGURING", "REQUEUED"])
def test_pilot_in_such_a_state_has_not_ended(state: str) -> None:
    watched = WatchedToken(replace(TOKEN, count=1))
    assert look(watched, job(state=state)) == []
    assert not watched.is_over


def test_missing_pilot_is_gone_after_a_minute_only() -> None:
    """Slurm's controller may have been restarted, or answers from an older state."""
    watched = WatchedToken(replace(TOKEN, count=1))
    look(watched, job())
    assert look(watched, moment=10) == []
    assert look(watched, moment=60) == []
    look(watched, job(), moment=65)
    assert look(watched, moment=70) == []
    assert look(watched, moment=129) == []
    assert look(watched, moment=130) == ["7_0"]
    assert watched.is_over


def test_pilot_that_was_never_seen_is_gone_without_an_end() -> None:
    watched = WatchedToken(replace(TOKEN, job="", count=1))
    assert look(watched, moment=0) == []
    assert look(watched, moment=60) == []
    assert watched.is_over


def test_nothing_is_missing_while_sbatch_is_at_work() -> None:
    watched = WatchedToken(replace(TOKEN, job="", count=1))
    for moment in (0, 60, 120):
        assert look(watched, moment=moment, is_submitting=True) == []
    assert (watched.is_over, watched.is_known) == (False, False)


def test_pilots_are_found_by_their_name() -> None:
    """The answer of ``sbatch`` was lost."""
    watched = WatchedToken(replace(TOKEN, job=""))
    look(watched, job("9_1", "PENDING"))
    assert watched.token.job == "9"


@pytest.mark.parametrize("other", [job(name="orch-toy-89abcdef"), job("6_0")])
def test_job_of_another_name_or_number_is_another(other: Job) -> None:
    """After a restart Slurm may give the same number to another job."""
    watched = WatchedToken(TOKEN)
    look(watched, other)
    assert (watched.live, watched.jobs()) == (0, [])


def test_array_that_is_shown_as_one_job_stands_for_all_of_it() -> None:
    watched = WatchedToken(TOKEN)
    assert look(watched, job("7", "CANCELLED")) == ["7", "7"]
    assert watched.is_over
