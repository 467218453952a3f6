"""A GPU is shared only as far as the memory of all that are on it is sure to be enough."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.execution.gpu_admission import (
    GIB,
    SharedGpu,
    Tenant,
    fit_together,
    need_of,
    refuse,
)

MEMORY = 80 * GIB
SETTLED = Tenant(10 * GIB, 10 * GIB, is_settled=True)


def on(*tenants: Tenant, free: int | None = None, most: int = 16) -> SharedGpu:
    left = MEMORY - sum(each.used for each in tenants)
    return SharedGpu(MEMORY, left if free is None else free, tenants, most)


@pytest.mark.parametrize("need", [None, GIB, 10 * MEMORY])
def test_empty_gpu_takes_any_run(need: int | None) -> None:
    """Also one that may be too large: whether it is, only it can tell."""
    assert refuse(on(), need) == ""


def test_runs_share_as_long_as_their_needs_fit() -> None:
    assert refuse(on(*[SETTLED] * 6), 10 * GIB) == ""
    assert refuse(on(*[SETTLED] * 7), 10 * GIB) == "the run needs 10.0 GiB, more than is left"


def test_no_more_share_than_are_faster_together() -> None:
    assert refuse(on(SETTLED, SETTLED, most=2), GIB) == "2 share it"


def test_nothing_joins_a_run_of_which_nothing_is_known() -> None:
    unknown = Tenant(None, 1)
    assert "on it needs is not known" in refuse(on(unknown), GIB)
    assert "on it needs is not known" in refuse(on(SETTLED, unknown), None)


def test_unknown_run_joins_only_calm_runs_on_a_half_empty_gpu() -> None:
    """So that it has far more room than most runs need, and nobody else grows meanwhile."""
    assert refuse(on(SETTLED), None) == ""
    assert refuse(on(Tenant(10 * GIB, 10 * GIB)), None) != ""  # it has just started
    assert refuse(on(*[SETTLED] * 5), None) != ""
    assert (
        refuse(on(Tenant(50 * GIB, GIB, is_settled=True)), None) != ""
    )  # it may come to need that


def test_memory_that_others_use_counts() -> None:
    """So does what runs of ours do not use yet, but may come to need."""
    assert refuse(on(SETTLED, free=9 * GIB), 10 * GIB) != ""
    assert refuse(on(SETTLED, free=11 * GIB), 10 * GIB) == ""
    growing = Tenant(10 * GIB, 4 * GIB, is_settled=True)
    assert refuse(on(growing, free=15 * GIB), 10 * GIB) != ""
    assert refuse(on(growing, free=16 * GIB), 10 * GIB) == ""


def test_what_is_free_may_be_unknown() -> None:
    assert refuse(SharedGpu(MEMORY, None, [SETTLED], 16), 10 * GIB) == ""


@pytest.mark.parametrize(("need", "count"), [(GIB, 72), (40 * GIB, 1), (0, 72 * GIB), (1 << 60, 1)])
def test_count_of_equal_runs_that_fit(need: int, count: int) -> None:
    assert fit_together(MEMORY, need) == count


peaks = st.integers(1, MEMORY)


@given(
    st.lists(st.tuples(peaks, st.floats(0, 1)), max_size=40),
    st.integers(0, MEMORY // 2),
    st.integers(1, 16),
)
def test_admitted_runs_never_need_more_than_there_is(
    runs: list[tuple[int, float]], foreign: int, most: int
) -> None:
    """Whatever they use when others are admitted, at their peaks all of them fit, beside other programs."""
    tenants: list[tuple[Tenant, int]] = []
    for peak, share in runs:
        used = sum(tenant.used for tenant, _ in tenants)
        gpu = SharedGpu(MEMORY, max(0, MEMORY - foreign - used), [t for t, _ in tenants], most)
        if not refuse(gpu, need_of(peak)) and (tenants or peak <= MEMORY - foreign):
            tenants.append((Tenant(need_of(peak), int(share * peak), is_settled=True), peak))
    assert len(tenants) <= most
    assert sum(peak for _, peak in tenants) <= MEMORY - foreign


@given(st.lists(st.one_of(st.none(), peaks), max_size=20), st.one_of(st.none(), peaks))
def test_unknown_run_is_never_joined(needs: list[int | None], newcomer: int | None) -> None:
    tenants = [Tenant(need, 0, is_settled=True) for need in needs]
    if None in needs:
        assert refuse(SharedGpu(MEMORY, MEMORY, tenants, 99), newcomer)
