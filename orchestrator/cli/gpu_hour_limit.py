"""The GPU-hours of a plan, as they are forecast, and the limit that the user sets for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.errors import UsageError
from orchestrator.execution.grid_forecast import Capacity
from orchestrator.execution.planned_forecast import forecast_plan

if TYPE_CHECKING:
    from orchestrator.execution.grid_forecast import Forecast
    from orchestrator.planning.load import Planned

_HOUR: Final = 3600.0


def forecast_on_cluster(planned: Planned) -> Forecast | None:
    """Forecast the execution of a plan by pilots, each of which executes one run at a time."""
    pilots = planned.settings.slurm.pilots if planned.settings.slurm else 1
    return forecast_plan(planned, Capacity(pilots, pilots))


def refuse_too_many_hours(planned: Planned, most: float | None) -> None:
    """Check that a plan takes no more GPU-hours than the user allows, as far as that is known.

    Raises:
        UsageError: It takes more, or that is not known.
    """
    if most is None:
        return
    forecast = forecast_on_cluster(planned)
    if forecast is None:
        return
    if forecast.slot_time is None or not forecast.is_whole:
        raise UsageError(
            f"--max-gpu-hours {most:g}: how long the runs take is not known yet. Finish one like each of"
            " them first, for example with --only, or leave the option out."
        )
    hours = forecast.slot_time.expected / _HOUR
    if hours > most:
        raise UsageError(
            f"--max-gpu-hours {most:g}: the {forecast.runs} runs take about {hours:.3g} GPU-hours."
            " Allow more, or select fewer runs with --only."
        )
