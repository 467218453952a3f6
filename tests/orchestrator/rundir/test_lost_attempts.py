"""Tests of orchestrator.rundir.lost_attempts."""

import pytest

from orchestrator.rundir.lost_attempts import describe_loss


@pytest.mark.parametrize(("node", "where"), [("n2", "job 7 on node n2."), (None, "job 7.")])
def test_loss_says_where_it_was_last(node: str | None, where: str) -> None:
    assert "3 times in a row its job ended" in describe_loss(3, "7", node)
    assert f"the last time {where}" in describe_loss(3, "7", node)
