"""The age of an experiment's last activity."""

from datetime import UTC, datetime

import pytest

from orchestrator.cli.experiment_table import describe_age

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (None, ""),
        ("2026-01-01T23:59:30+00:00", "30 s ago"),
        ("2026-01-01T20:00:00+00:00", "4 h 00 min ago"),
        ("2026-01-03T00:00:00+00:00", "0 s ago"),  # a clock was set back
    ],
)
def test_age_is_told_for_people(moment: str | None, text: str) -> None:
    assert describe_age(moment, NOW) == text
