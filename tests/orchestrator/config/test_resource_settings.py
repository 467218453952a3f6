"""The settings that say how runs share the machine."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.config.resource_settings import Share, parse_share
from orchestrator.errors import ConfigError


@pytest.mark.parametrize(
    ("value", "pack"),
    [(None, None), ("auto", None), (True, None), ("off", 1), (False, 1), (1, 1), (8, 8)],
)
def test_pack_is_auto_off_or_a_number(value: Any, pack: int | None) -> None:
    """YAML reads on and off as true and false."""
    assert parse_share({"pack": value}).pack == pack


@pytest.mark.parametrize("value", [0, -1, 1.5, "8", "many", [], {}])
def test_other_values_are_one_line(value: Any) -> None:
    told = r"orch\.pack is .*\. Set it to auto, off, or the number of runs per GPU\."
    with pytest.raises(ConfigError, match=told):
        parse_share({"pack": value})


@pytest.mark.parametrize(("value", "mps"), [(None, False), (False, False), (True, True)])
def test_mps_is_off_unless_asked_for(value: Any, mps: bool) -> None:  # noqa: FBT001 # a case
    assert parse_share({"mps": value}).mps is mps


@pytest.mark.parametrize("value", ["yes", 1, []])
def test_mps_is_nothing_else(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"orch\.mps is .*\. Set it to true or false\."):
        parse_share({"mps": value})


@pytest.mark.parametrize(
    ("share", "measured", "packed"),
    [
        (Share(), True, True),
        (Share(pack=1), False, False),
        (Share(pack=4), False, True),
        (Share(workers=4), False, False),  # as the user says, and at the user's limits on time
        (Share(workers=4, pack=4), False, False),
        (Share(gpus_per_run=2), False, False),
    ],
)
def test_runs_share_a_gpu_by_measure_unless_the_user_decides(
    share: Share,
    measured: bool,  # noqa: FBT001 # a case
    packed: bool,  # noqa: FBT001 # a case
) -> None:
    assert (share.is_measured, share.is_packed) == (measured, packed)
