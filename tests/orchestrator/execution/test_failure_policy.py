"""What may pass is tried again; what meets all runs stops them."""

from math import inf

import pytest

from orchestrator.config.orch_settings import Policy
from orchestrator.execution.failure_policy import CircuitBreaker, Histories, Pacing, Retry
from orchestrator.grid.identity import RunId
from orchestrator.rundir.state import Failure
from orchestrator.runner.failure_classes import FailureKind

RUN = RunId("0" * 16)


def delays(kind: str, saved: list[int], *, retries: int) -> list[float | None]:
    """Return the delay before each retry of a run whose attempts end with so much saved."""
    histories = Histories(Policy(retries))
    answers = [histories.retry(RUN, Failure(kind, ""), each, shared=False) for each in saved]
    return [answer and answer.delay for answer in answers]


@pytest.mark.parametrize("kind", FailureKind)
def test_only_what_may_pass_is_tried_again(kind: str) -> None:
    """With nothing allowed, nothing is."""
    passes = kind in ("killed", "out-of-memory", "disk-full")
    assert delays(kind, [3], retries=1) == [1.0 if passes else None]
    assert delays(kind, [3], retries=0) == [None]


def test_delay_doubles_and_has_an_end() -> None:
    """A minute is the longest."""
    assert delays("killed", list(range(1, 9)), retries=8) == [1, 2, 4, 8, 16, 32, 60, 60]


def test_run_that_saves_nothing_more_is_let_be() -> None:
    """However many retries are left."""
    assert delays("killed", [2, 3, 3], retries=9) == [1, 2, None]
    assert delays("killed", [0, 0], retries=9) == [1, None]


def test_lack_of_gpu_memory_beside_others_is_tried_once_alone() -> None:
    """Also where no retries are allowed: it is the sharing that failed."""
    histories = Histories(Policy())
    failure = Failure("out-of-memory", "")
    assert histories.retry(RUN, failure, 0, shared=True) == Retry(0.0, alone=True)
    assert histories.retry(RUN, failure, 0, shared=False) is None


def test_breaker_pauses_longer_and_longer_and_then_for_good() -> None:
    """Numbers and quoted names do not make an error another one."""
    breaker = CircuitBreaker()
    asked = [breaker.note(Failure("error", f"KeyError: 'a{n}' in line {n}")) for n in range(8)]
    assert asked == [None, None, None, None, 5, 10, 20, inf]
    assert "8 runs in a row failed in the same way (error: KeyError: 'a7'" in breaker.says


@pytest.mark.parametrize(
    "other", [None, Failure("error", "ValueError"), Failure("diverged", "nan")]
)
def test_anything_else_between_starts_the_count_again(other: Failure | None) -> None:
    """Only what fails in the same way, one after the other, says something about all."""
    breaker = CircuitBreaker()
    for _ in range(4):
        breaker.note(Failure("error", "KeyError"))
    assert breaker.note(other) is None
    assert [breaker.note(Failure("error", "KeyError")) for _ in range(5)] == [None] * 4 + [5]


@pytest.mark.parametrize("kind", ["diverged", "timeout", "no-progress", "killed"])
def test_what_is_a_runs_own_fate_never_pauses_the_grid(kind: str) -> None:
    """Ten learning rates that are too high are a result."""
    breaker = CircuitBreaker()
    assert {breaker.note(Failure(kind, "same")) for _ in range(10)} == {None}


SAME = Failure("error", "KeyError")


def test_what_began_before_a_pause_does_not_make_it_longer() -> None:
    """Eight that fail at once are one reason to pause; then one is tried, and only one."""
    brake = Pacing(Policy())
    pauses = [brake.note(SAME, began=0.5, moment=1.0, is_more=True) for _ in range(8)]
    assert pauses == [None] * 4 + [5, None, None, None]
    assert brake.holds(5.9, [])
    assert not brake.holds(6.1, [])
    assert not brake.holds(6.1, [0.5])  # a long one from before keeps nobody waiting
    assert brake.holds(6.2, [0.5, 6.1])
    assert brake.note(SAME, began=6.1, moment=7.0, is_more=True) == 10
    assert brake.note(None, began=17.1, moment=18.0, is_more=True) is None
    assert not brake.holds(18.0, [17.5])
    assert brake.gave_up == ""


def test_most_failures_are_the_end() -> None:
    """Whatever they are."""
    brake = Pacing(Policy(most_failures=2))
    for _ in range(2):
        assert brake.gave_up == ""
        brake.note(Failure("killed", "by SIGKILL"), began=1.0, moment=2.0, is_more=True)
    assert brake.gave_up == "2 failed, which is the most allowed"
