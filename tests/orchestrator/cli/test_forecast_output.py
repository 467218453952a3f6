"""The forecast as it is printed."""

import json
from dataclasses import replace

import pytest

from orchestrator.cli.commands.plan import NOTHING_KNOWN
from orchestrator.cli.forecast_output import (
    describe_accuracy,
    describe_bytes,
    describe_forecast,
    forecast_as_json,
)
from orchestrator.execution.grid_forecast import Capacity, Executed, Forecast, Range

HOUR = 3600.0
WHOLE = Forecast(
    24,
    Capacity(4, 2, "one per GPU"),
    known=24,
    time=Range(2 * HOUR, 1.5 * HOUR, 3 * HOUR),
    slot_time=Range(8 * HOUR, 6 * HOUR, 12 * HOUR),
    disk=Range(3.14e9, 3e9, 4e9),
    learned_from=12,
    experiments=("one", "two"),
)


@pytest.mark.parametrize(
    ("forecast", "text"),
    [
        (
            WHOLE,
            (
                "forecast: 2 h 00 min (1 h 30 min to 3 h 00 min) with 4 workers (one per GPU),"
                " 4 (3 to 6) GPU-hours, 3.1 GB (3.0 to 4.0 GB) on disk; from 12 finished runs,"
                " including those of one and two"
            ),
        ),
        (
            replace(
                WHOLE,
                known=8,
                capacity=Capacity(1),
                time=Range(600, 300, 900),
                disk=None,
                learned_from=1,
                experiments=(),
                unknown=(("model", "vit"), ("lr", "1")),
            ),
            (
                "forecast: for 8 of 24 runs 10 min (5 to 15 min) with 1 worker, 8 (6 to 12) slot-hours;"
                " from 1 finished run. Of the others nothing is known: no finished run that was looked at has model=vit or lr=1"
            ),
        ),
        (
            Forecast(3, Capacity(1)),
            "forecast: unknown, because no finished run like these was found",
        ),
        (
            Forecast(
                3, Capacity(1), learned_from=1, unknown=tuple(("lr", f"{n}") for n in range(9))
            ),
            "forecast: unknown, because no finished run that was looked at has lr=0 or lr=1 or lr=2, ...",
        ),
        (
            Forecast(3, Capacity(1), learned_from=4),
            "forecast: unknown, because the times that 4 finished runs took say too little about these",
        ),
        (
            replace(
                WHOLE,
                capacity=Capacity(2),
                time=Range(3, 2.9, 3.1),
                slot_time=Range(1e6, 9e5, 1.1e6),
                disk=None,
                experiments=(),
            ),
            "forecast: 3 s with 2 workers, 278 (250 to 306) slot-hours; from 12 finished runs",
        ),
        (
            replace(
                WHOLE, capacity=Capacity(1), time=Range(2340, 360, 16680), disk=None, experiments=()
            ),
            "forecast: 39 min (6 min to 4 h 38 min) with 1 worker, 8 (6 to 12) slot-hours; from 12 finished runs",
        ),
    ],
)
def test_forecast_is_one_line(forecast: Forecast, text: str) -> None:
    assert describe_forecast(forecast) == text


def test_first_plan_says_the_same_as_the_forecast() -> None:
    """It does not import what makes one."""
    assert describe_forecast(Forecast(1, Capacity(1))) == NOTHING_KNOWN


def test_accuracy_is_told_of_a_whole_forecast() -> None:
    told = describe_accuracy(Executed(2.5 * HOUR, WHOLE))
    assert told == "took 2 h 30 min, the forecast was 2 h 00 min (1 h 30 min to 3 h 00 min)"
    assert not describe_accuracy(Executed(9.0, replace(WHOLE, known=23)))
    short = replace(WHOLE, time=Range(0.02, 0.01, 0.05))
    assert not describe_accuracy(Executed(0.3, short))
    assert not describe_accuracy(Executed(3.0, short))  # nor was it announced
    assert not describe_accuracy(Executed(9.0, Forecast(2, Capacity(1))))
    assert not describe_accuracy(Executed(9.0, None))


def test_json_has_every_amount_with_its_range() -> None:
    told = forecast_as_json(replace(WHOLE, unknown=(("lr", "0.1"),)))
    assert json.loads(json.dumps(told)) == told
    assert told["seconds"] == {"expected": 7200, "low": 5400, "high": 10800}
    assert told["gpu_seconds"] == {"expected": 14400, "low": 10800, "high": 21600}
    assert told["unknown"] == [{"axis": "lr", "value": "0.1"}]
    assert forecast_as_json(Forecast(2, Capacity(1)))["bytes"] is None


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (54_321_000, "54 MB"), (2e15, "2000 TB")],
)
def test_bytes_have_two_digits(number: float, text: str) -> None:
    assert describe_bytes(number) == text
