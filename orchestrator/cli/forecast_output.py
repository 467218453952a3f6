"""The forecast of a grid, as text and as JSON, and how right it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.cli.tables import note
from orchestrator.execution.remaining_time import describe_seconds
from orchestrator.planning.load import Planned

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from rich.console import Console

    from orchestrator.execution.grid_forecast import Executed, Forecast, Range
    from orchestrator.execution.planned_sharing import PlannedSharing
    from orchestrator.execution.protocols import Resources
    from orchestrator.planning.executable_plan import Work

_HOUR: Final = 3600.0
_UNITS: Final = ("B", "kB", "MB", "GB", "TB")
_THOUSAND: Final = 1000
_TEN: Final = 10  # from here on decimals say nothing
_HUNDRED: Final = 100
_SHOWN: Final = 3  # values about which nothing is known
_LITTLE: Final = 0.5  # seconds
_LEAST: Final = 0.01  # hours


def announce_forecast(
    planned: Work, resources: Resources, options: argparse.Namespace, console: Console
) -> Forecast | None:
    """Forecast the execution of a plan, and tell it if its end will say how right it was."""
    if not isinstance(planned, Planned):
        return None
    # The first runs of all are executed, and end, without these.
    from orchestrator.execution.grid_forecast import Capacity  # noqa: PLC0415 # as above
    from orchestrator.execution.planned_forecast import forecast_plan  # noqa: PLC0415 # as above

    gpus = {gpu for slot in resources.slots for gpu in slot.gpus}
    each, slots = planned.settings.share.gpus_per_run, len(resources.slots)
    if resources.packing:  # how many fit is not known until they are measured
        slots = min(slots, resources.packing.count_expected(gpus))
    found = forecast_plan(planned, Capacity(slots, len(gpus), gpus_per_run=each))
    if found and is_announced(found) and not (options.quiet or options.json):
        console.print(note(describe_forecast(found)))
    return found


def describe_forecast(forecast: Forecast) -> str:
    """Return the forecast in one line."""
    if forecast.time is None or forecast.slot_time is None:
        return f"forecast: unknown, because {_why(forecast)}"
    slots, gpu_time = forecast.capacity.slots, forecast.gpu_time
    some = "" if forecast.is_whole else f"for {forecast.known} of {forecast.runs} runs "
    default = f" ({forecast.capacity.default})" if forecast.capacity.default else ""
    kind = "GPU" if gpu_time else "slot"
    hours = (gpu_time or forecast.slot_time).times(1 / _HOUR)
    parts = [
        f"forecast: {some}{_describe(forecast.time, describe_seconds)} with {slots} worker{'s' * (slots > 1)}{default}",
        *([f"{_describe(hours, _describe_hours)} {kind}-hours"] if hours.high >= _LEAST else []),
        *([f"{_describe(forecast.disk, describe_bytes)} on disk"] if forecast.disk else []),
    ]
    told = f"{', '.join(parts)}; from {_source(forecast)}"
    return (
        told if forecast.is_whole else f"{told}. Of the others nothing is known: {_why(forecast)}"
    )


def is_announced(forecast: Forecast | None) -> bool:
    """Return whether a forecast is told before runs are executed: it covers all of them.

    Nothing is told of less than half a second, in which the start takes longer than the runs.
    """
    if forecast is None or forecast.time is None:
        return False
    return forecast.is_whole and forecast.time.expected >= _LITTLE


def describe_accuracy(executed: Executed) -> str:
    """Return in one line how right a forecast was; empty if it is not one to announce."""
    expected = executed.expected
    if expected is None or not is_announced(executed.forecast):
        return ""
    return f"took {describe_seconds(executed.seconds)}, the forecast was {_describe(expected, describe_seconds)}"


def forecast_as_json(forecast: Forecast) -> dict[str, object]:
    """Return the forecast as ``--json`` prints it."""
    return {
        "runs": forecast.runs,
        "known": forecast.known,
        "workers": forecast.capacity.slots,
        "gpus": forecast.capacity.gpus,
        "seconds": range_as_json(forecast.time),
        "slot_seconds": range_as_json(forecast.slot_time),
        "gpu_seconds": range_as_json(forecast.gpu_time),
        "bytes": range_as_json(forecast.disk),
        "learned_from": forecast.learned_from,
        "experiments": list(forecast.experiments),
        "unknown": [{"axis": axis, "value": value} for axis, value in forecast.unknown],
    }


def sharing_as_json(sharing: PlannedSharing) -> dict[str, object]:
    """Return how many runs will share a GPU as ``--json`` prints it."""
    return {
        "per_gpu": sharing.per_gpu,
        "most": sharing.most,
        "gpu_memory": sharing.memory or None,
        "needed": sharing.need,
        "unknown": sharing.unknown,
        "reason": str(sharing).removeprefix("sharing: "),
    }


def range_as_json(found: Range | None) -> dict[str, float] | None:
    """Return an amount with its range as ``--json`` prints it."""
    if found is None:
        return None
    amounts = {"expected": found.expected, "low": found.low, "high": found.high}
    return {name: round(amount, 3) for name, amount in amounts.items()}


def describe_bytes(number: float) -> str:
    """Format a number of bytes for people: ``1.2 GB``."""
    unit = 0
    while number >= _THOUSAND and unit < len(_UNITS) - 1:
        number, unit = number / _THOUSAND, unit + 1
    return f"{number:.{int(number < _TEN and unit > 0)}f} {_UNITS[unit]}"


def _describe(amount: Range, describe: Callable[[float], str]) -> str:
    """Return an amount with its range, and a common unit once: ``6 s (3 to 14 s)``."""
    told, low, high = map(describe, (amount.expected, amount.low, amount.high))
    if low == high:
        return told
    number, _, unit = low.partition(" ")
    is_common = unit and high.partition(" ")[2] == unit
    return f"{told} ({number if is_common else low} to {high})"


def _describe_hours(hours: float) -> str:
    return f"{hours:.2g}" if hours < _HUNDRED else f"{hours:,.0f}"  # not 1e+02


def _source(forecast: Forecast) -> str:
    count = forecast.learned_from
    runs = f"{count} finished run{'s' * (count != 1)}"
    others = " and ".join(forecast.experiments)
    return f"{runs}, including those of {others}" if others else runs


def _why(forecast: Forecast) -> str:
    if not forecast.learned_from:
        return "no finished run like these was found"
    if not forecast.unknown:
        if forecast.learned_from == 1:
            return "the time that 1 finished run took says too little about these"
        return (
            f"the times that {forecast.learned_from} finished runs took say too little about these"
        )
    shown = [f"{axis}={value}" for axis, value in forecast.unknown[:_SHOWN]]
    more = ", ..." if len(forecast.unknown) > _SHOWN else ""
    return f"no finished run that was looked at has {' or '.join(shown)}{more}"
