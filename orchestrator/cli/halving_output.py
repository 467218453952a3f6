"""Halving on the command line: how it applies to a plan, and its rungs and cost as text and as JSON."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.config.metric_patterns import is_counted
from orchestrator.errors import UsageError
from orchestrator.planning.halving_cost import Outlook
from orchestrator.planning.halving_stage import halve, look_at_directories, look_at_grid
from orchestrator.planning.load import Planned
from orchestrator.planning.misspelt_metric import (
    describe_misspelt,
    find_correct_name,
    is_reported,
)
from orchestrator.rundir.state import State
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeVar

    from rich.console import Console

    from orchestrator.config.halving_settings import Halving
    from orchestrator.config.orch_settings import Settings
    from orchestrator.grid.identity import RunId
    from orchestrator.planning.executable_plan import Work
    from orchestrator.planning.halving_cost import Cost
    from orchestrator.planning.halving_stage import StageReader
    from orchestrator.planning.plan import Decisions
    from orchestrator.planning.rung_decisions import Rung, Standing
    from orchestrator.rundir.experiment import ExperimentDirectory
    from orchestrator.rundir.run_summary import Report

    W = TypeVar("W", bound=Work)


@dataclass(frozen=True, slots=True)
class HalvedGrid:
    """The runs of a grid as they are compared; without decisions, ``trouble`` says why they are not."""

    halving: Halving
    decisions: Decisions | None = None
    trouble: str = ""

    def standings(self, reports: Iterable[Report]) -> Mapping[RunId, Standing]:
        """Return where the runs of these reports stand that the grid names."""
        decisions = self.decisions
        stage = None if decisions is None else decisions.stage
        if decisions is None or stage is None:
            return {}
        named = {decisions.run(at).run_id: each for at, each in stage.standings.items()}
        new = (it.run_id for it in reports if it.seen.state is State.PENDING)
        return dict.fromkeys(new, stage.others) | named

    def describe(self) -> list[str]:
        """Return the rungs in one or two lines, or why there are none."""
        if self.decisions is None:
            return [self.trouble]
        return describe_halving(self.decisions, self.halving)

    def as_json(self) -> dict[str, object] | None:
        """Return the rungs and the cost as ``--json`` prints them; None if there are none."""
        return None if self.decisions is None else halving_as_json(self.decisions, self.halving)


def look_at_halving(
    planned: Planned, reader: StageReader, halving: Halving, *, is_executed: bool
) -> HalvedGrid:
    """Compare the runs of a grid as they stand now; ``is_executed``: a process executes them."""
    return _look(halving, lambda: look_at_grid(planned, reader, is_executed=is_executed))


def look_at_all(
    experiment: ExperimentDirectory, reader: StageReader, halving: Halving, *, is_executed: bool
) -> HalvedGrid:
    """Compare all runs of an experiment that there are, as ``look_at_halving``."""
    return _look(halving, lambda: look_at_directories(experiment, reader, is_executed=is_executed))


def _look(halving: Halving, look: Callable[[], Decisions]) -> HalvedGrid:
    try:
        return HalvedGrid(halving, look())
    except UsageError as error:
        return HalvedGrid(halving, trouble=str(error))


def apply_halving(planned: W, settings: Settings) -> W:
    """Return a plan in which runs are compared, if the settings say so.

    Raises:
        UsageError: Runs do not have the metric, or will not, or another setting contradicts.
    """
    halving = settings.halving
    if halving is None:
        return planned
    if settings.order.step is not None:
        raise UsageError(
            "halving and the order breadth exclude each other: with halving, all runs advance to the"
            " same rung in any case. Choose one."
        )
    if is_counted(settings.program.metrics_from_output, halving.metric):
        raise UsageError(
            f"halving: orch.metrics_from_output counts what is printed of {halving.metric!r}, and begins at 1"
            " again when a paused run goes on. Let the program print the iteration, and add (?P<step>\\d+)"
            " to the pattern."
        )
    halved = halve(planned, halving)
    if isinstance(planned, Planned) and not is_reported(halving.metric, planned):
        from orchestrator.execution.unreported_metric import refuse_unreported  # noqa: PLC0415 # as above

        refuse_unreported(planned, "halving", halving.metric, halving.rung(0) or 1)
    meant = find_correct_name(halving.metric, halved)
    if not meant:
        return halved
    selection, told = halved.plan.selection, describe_misspelt("halving", halving.metric, meant)
    selection = replace(selection, warnings=(*selection.warnings, told))
    return replace(halved, plan=replace(halved.plan, selection=selection))


def refuse_elsewhere(settings: Settings, options: argparse.Namespace) -> None:
    """Refuse to compare runs that other processes execute.

    Raises:
        UsageError: They are prepared, or executed on a cluster, and halving is set.
    """
    if settings.halving and (options.prepare or settings.slurm):
        what = "--prepare" if options.prepare else "orch.slurm"
        raise UsageError(
            f"halving compares the runs that one orch run executes, and {what} leaves them to others."
            " Add --halving none, or execute them here."
        )


def print_halving(planned: Work, console: Console) -> None:
    """Print the rungs of a halved grid, and what is left of it."""
    if planned.halving is not None:
        for line in describe_halving(planned.plan.decisions, planned.halving):
            console.print(Text(printable(line)))


def describe_halving(decisions: Decisions, halving: Halving) -> list[str]:
    """Return the rungs and the cost in one or two lines."""
    stage = decisions.stage
    if stage is None:
        return []
    outlook = Outlook(decisions, stage, halving)
    rungs = outlook.rungs
    parts = [describe_rung(rung) for rung in rungs]
    if rungs and rungs[-1].best:
        end = outlook.longest
        told = "further (how many iterations they have is not known yet)"
        parts.append(f"{rungs[-1].best} {told if end is None else f'to the end, {end}'}")
    how = ", asynchronous" if halving.is_asynchronous else ""
    told = ", ".join(parts) or (
        "a single run is trained to its end"
        if stage.runs == 1
        else "no rung comes before the end, so all runs are trained to it"
    )
    lines = [f"halving by {halving.metric}, {halving.mode}{how}: {told}"]
    cost = outlook.cost()
    if cost is not None and cost.whole:
        lines.append(f"  {_describe_cost(cost)}")
    return lines


def _describe_cost(cost: Cost) -> str:
    whole = f"{cost.whole:,.0f}"
    if not cost.halved:
        return f"nothing is left; the paused runs have {whole} iterations to their ends"
    share = cost.halved / cost.whole
    return f"about {cost.halved:,.0f} iterations are left, {share:.0%} of the {whole} of all runs"


def describe_rung(rung: Rung) -> str:
    """Return how many runs are trained to a rung, and how many of them have come to it."""
    come = rung.arrived - rung.failed
    told = ["done"] if rung.is_complete and come else [f"{come} have"] if come else []
    told += [f"{rung.failed} failed"] if rung.failed else []
    told += [rung.unevenness] if rung.unevenness else []
    return f"{rung.runs} to iteration {rung.iteration}" + (f" ({', '.join(told)})" if told else "")


def halving_as_json(decisions: Decisions, halving: Halving | None) -> dict[str, object] | None:
    """Return the rungs and the cost as ``--json`` prints them; a contract."""
    stage = decisions.stage
    if halving is None or stage is None:
        return None
    outlook = Outlook(decisions, stage, halving)
    cost = outlook.cost()
    return {
        "metric": halving.metric,
        "mode": halving.mode,
        "factor": halving.factor,
        "asynchronous": halving.is_asynchronous,
        "rungs": [
            {
                "iteration": it.iteration,
                "runs": it.runs,
                "arrived": it.arrived,
                "failed": it.failed,
                "best": it.best,
                "unevenness": it.unevenness,
            }
            for it in outlook.rungs
        ],
        "iterations_left": cost and {"halved": round(cost.halved, 1), "whole": cost.whole},
    }
