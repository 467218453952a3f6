"""``orch plan``: shows what ``orch run`` would do, and why, without writing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from orchestrator.cli.lookup import source_of
from orchestrator.cli.setting_flags import parse_flags, with_flags
from orchestrator.cli.tables import (
    print_changes,
    print_drift,
    print_exclusions,
    print_reasons,
    print_runs,
    print_summary,
)
from orchestrator.execution.nvidia_device_files import has_driver
from orchestrator.planning.load import load_plan
from orchestrator.rundir.state import State
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from orchestrator.config.orch_settings import Settings
    from orchestrator.config.slurm_settings import SlurmSettings
    from orchestrator.execution.planned_sharing import PlannedSharing
    from orchestrator.grid.config_values import Value
    from orchestrator.planning.load import Planned
    from orchestrator.planning.search import Search

# What the forecast says where there is nothing to learn from, without importing it.
NOTHING_KNOWN: Final = "forecast: unknown, because no finished run like these was found"


def plan(options: argparse.Namespace, console: Console) -> int:
    """Print the plan."""
    states = {State(name) for name in options.state} or (set(State) if options.all else None)
    flags = parse_flags(options)
    planned = load_plan(
        source_of(options),
        only=options.only,
        proposals=_proposals,
        adjust=lambda it: with_flags(it, flags),
    )
    planned = _halve(planned, flags)
    if options.json:
        from orchestrator.cli.json_text import write_json  # noqa: PLC0415 # scripts only

        write_json(console, _as_json(planned, flags), indent=2)
        return 0
    print_summary(planned.plan, console)
    _print_exploring(planned, console)
    for note in planned.notes:
        console.print(Text(printable(f"note: {note}"), style="dim"))
    if planned.former or planned.plan.decisions.observed():
        _print_what_has_run(planned, console)
    sharing = _sharing(planned, flags)
    for told in (sharing and str(sharing), _forecast(planned, flags, sharing)):
        if told:
            console.print(Text(printable(told), style="dim"))
    if planned.settings.slurm and planned.plan.starts():
        from orchestrator.cli.cluster_plan import print_request  # noqa: PLC0415 # clusters only

        print_request(planned, planned.settings.slurm, console)
    if options.excluded:
        print_exclusions(planned.plan.selection, console)
    if options.reasons:
        print_reasons(planned.plan, console)
    if states or not (options.excluded or options.reasons):
        print_runs(planned.plan, console, states)
    return 0


def _halve(planned: Planned, flags: dict[str, Value]) -> Planned:
    settings = with_flags(planned.settings, flags)
    if settings.halving is None:
        return planned
    from orchestrator.cli.halving_output import apply_halving  # noqa: PLC0415 # rarely set

    return apply_halving(planned, settings)


def _print_exploring(planned: Planned, console: Console) -> None:
    if planned.search is not None:
        from orchestrator.cli.search_supply import print_search  # noqa: PLC0415 # as above

        print_search(planned, console)
    if planned.halving is not None:
        from orchestrator.cli.halving_output import print_halving  # noqa: PLC0415 # as above

        print_halving(planned, console)


def _proposals(settings: Settings) -> int:
    """Return how many points of a search would be tried at once."""
    from orchestrator.execution.planned_forecast import count_capacity  # noqa: PLC0415 # searches only

    return count_capacity(settings.share).slots


# What compares runs with those of before is imported where there are any: it is not for the first plan.
def _print_what_has_run(planned: Planned, console: Console) -> None:
    """Print how the runs that exist differ from the grid and the code of now."""
    from orchestrator.planning.code_drift import find_drift  # noqa: PLC0415 # as above
    from orchestrator.planning.former_runs import look_back  # noqa: PLC0415 # as above
    from orchestrator.planning.numbers_versions import (  # noqa: PLC0415 # as above
        describe_mixture,
        look_at_numbers,
    )

    if planned.former:
        print_changes(look_back(planned), console)
    if mixture := describe_mixture(look_at_numbers(planned)):
        console.print(Text(mixture, style="yellow"))
    print_drift(find_drift(planned), console)


def _sharing(planned: Planned, flags: dict[str, Value]) -> PlannedSharing | None:
    """Return how many runs will share a GPU; None where there is none."""
    if planned.settings.slurm or not (has_driver() and planned.plan.starts()):
        return None
    from orchestrator.execution.planned_forecast import sharing_here  # noqa: PLC0415 # as above

    return sharing_here(planned, with_flags(planned.settings, flags).share)


def _forecast(planned: Planned, flags: dict[str, Value], sharing: PlannedSharing | None) -> str:
    """Return the forecast in one line; empty if there is nothing to execute."""
    if planned.experiment.is_first():
        return NOTHING_KNOWN if planned.plan.decisions else ""
    from orchestrator.cli.forecast_output import describe_forecast  # noqa: PLC0415 # as above
    from orchestrator.execution.planned_forecast import forecast_here  # noqa: PLC0415 # as above

    forecast = forecast_here(planned, with_flags(planned.settings, flags).share, sharing)
    return describe_forecast(forecast) if forecast else ""


def _as_json(planned: Planned, flags: dict[str, Value]) -> dict[str, object]:
    from orchestrator.cli.forecast_output import (  # noqa: PLC0415 # as above
        forecast_as_json,
        sharing_as_json,
    )
    from orchestrator.cli.halving_output import halving_as_json  # noqa: PLC0415 # as above
    from orchestrator.execution.planned_forecast import forecast_here  # noqa: PLC0415 # as above
    from orchestrator.planning.code_drift import drift_as_json, find_drift  # noqa: PLC0415 # as above
    from orchestrator.planning.former_runs import look_back  # noqa: PLC0415 # as above
    from orchestrator.planning.grid_changes import changes_as_json  # noqa: PLC0415 # as above
    from orchestrator.planning.numbers_versions import (  # noqa: PLC0415 # as above
        look_at_numbers,
        versions_as_json,
    )
    from orchestrator.planning.plan_json import plan_as_json  # noqa: PLC0415 # as above

    sharing = _sharing(planned, flags)
    forecast = forecast_here(planned, with_flags(planned.settings, flags).share, sharing)
    slurm = planned.settings.slurm if planned.plan.starts() else None
    return plan_as_json(planned.plan) | {
        "changes": changes_as_json(look_back(planned)),
        "numbers": versions_as_json(look_at_numbers(planned)),
        "notes": list(planned.notes),
        "drift": drift_as_json(find_drift(planned)),
        "sharing": sharing and sharing_as_json(sharing),
        "search": _search_as_json(planned.search) if planned.search else None,
        "forecast": forecast and forecast_as_json(forecast),
        "halving": halving_as_json(planned.plan.decisions, planned.halving),
        "slurm": _slurm_as_json(planned, slurm) if slurm else None,
    }


def _search_as_json(search: Search) -> dict[str, object]:
    from orchestrator.cli.search_supply import search_as_json  # noqa: PLC0415 # as above

    return search_as_json(search)


def _slurm_as_json(planned: Planned, slurm: SlurmSettings) -> dict[str, object]:
    from orchestrator.cli.cluster_plan import request_as_json  # noqa: PLC0415 # clusters only

    return request_as_json(planned, slurm)
