"""The admission to a GPU: decides whether one more run may share it, from what all of them need.

A newcomer must never cost another run its memory. So the needs of all that share a GPU are summed, with a
margin, and what the driver says is free counts as well. A run of which nothing is known is alone with
itself: nothing joins it until it has completed an iteration, and it joins others only on a GPU that is
half empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

GIB: Final = 1 << 30
_PART: Final = 0.9  # of a GPU that runs may be expected to need together
_MARGIN: Final = 1.15
_EXTRA: Final = GIB // 2
_HALF: Final = 0.5


@dataclass(frozen=True, slots=True)
class Tenant:
    """A run that is on a GPU.

    ``need`` are the bytes that it may come to need (None: unknown), ``used`` those that it has now.
    ``is_settled``: it has completed an iteration here.
    """

    need: int | None
    used: int = 0
    is_settled: bool = False


@dataclass(frozen=True, slots=True)
class SharedGpu:
    """A GPU, with the runs on it; ``free`` as the driver says (None: unknown), ``most`` runs at once."""

    memory: int
    free: int | None
    tenants: Sequence[Tenant]
    most: int


def need_of(peak: int) -> int:
    """Return what a run may need of which a run like it has used at most ``peak`` bytes."""
    return int(peak * _MARGIN) + _EXTRA


def fit_together(memory: int, need: int) -> int:
    """Return how many runs of one kind fit on a GPU; at least one, which is always tried."""
    return max(1, int(memory * _PART) // max(1, need))


def refuse(gpu: SharedGpu, need: int | None) -> str:
    """Return why a run must not start on a GPU now; an empty string if it may.

    Args:
        gpu: The GPU.
        need: The bytes that the run may come to need; None: unknown.
    """
    if not gpu.tenants:
        return ""
    if len(gpu.tenants) >= gpu.most:
        return f"{len(gpu.tenants)} share it"
    needs = [tenant.need for tenant in gpu.tenants if tenant.need is not None]
    if len(needs) < len(gpu.tenants):
        return "how much memory a run on it needs is not known yet"
    free = gpu.memory if gpu.free is None else gpu.free
    left = free - sum(max(0, (each.need or 0) - each.used) for each in gpu.tenants)
    if need is None:
        is_calm = all(each.is_settled for each in gpu.tenants)
        is_roomy = min(gpu.memory - sum(needs), left) >= gpu.memory * _HALF
        return "" if is_calm and is_roomy else "how much memory the run needs is not known yet"
    if sum(needs) + need > gpu.memory * _PART or need > left:
        return f"the run needs {need / GIB:.1f} GiB, more than is left"
    return ""
