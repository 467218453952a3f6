"""The limits of an attempt reach its runner through the command line, exactly."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.runner.time_limits import NO_LIMITS, Limits

SECONDS = st.floats(min_value=0, allow_nan=False)


@given(SECONDS, SECONDS, SECONDS, st.booleans())
def test_limits_survive_a_command_line(
    timeout: float,
    no_progress: float,
    grace: float,
    stretched: bool,  # noqa: FBT001 # any
) -> None:
    limits = Limits(timeout, no_progress, grace, stretched=stretched)
    assert Limits.from_arguments(limits.as_arguments()) == limits


def test_there_are_no_limits_by_default() -> None:
    assert (NO_LIMITS.timeout, NO_LIMITS.no_progress) == (inf, inf)
