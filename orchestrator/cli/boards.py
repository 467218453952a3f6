"""The boards: display the events of ``orch run`` on a terminal, in a log, or as JSON."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from rich.text import Text

from orchestrator.cli.event_json import event_as_json
from orchestrator.cli.json_text import json_text
from orchestrator.cli.safe_output import on_one_line, print_hanging
from orchestrator.cli.state_colours import COLOURS
from orchestrator.cli.stop_messages import describe_stopping
from orchestrator.cli.table_columns import metric_cell
from orchestrator.execution.events import (
    Adopted,
    Advanced,
    AttemptStarted,
    Blocked,
    ControlFailed,
    Controlled,
    Ended,
    Paused,
    Retrying,
    RungCompleted,
    Stopping,
)
from orchestrator.execution.remaining_time import describe_seconds
from orchestrator.execution.slot_limit import describe as describe_allotment
from orchestrator.grid.axes import describe_briefly, describe_point
from orchestrator.grid.identity import short
from orchestrator.rundir.state import FINISHED, State
from orchestrator.rundir.state_words import word_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self

    from rich.console import Console

    from orchestrator.execution.events import Event, ExecutionSnapshot
    from orchestrator.execution.remaining_time import Pace
    from orchestrator.grid.config_values import Value


_BEHIND_LABEL: Final = 11  # the column in which the text of an event begins
_PER_MINUTE: Final = 600.0  # runs per hour; faster paces are shown per minute


class PlainBoard:
    """Prints one line per event, for logs, pipes and terminals without colours."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._ended = 0
        self._held: dict[int, int] = {}  # the runs that were paused at a rung
        self._noticed: set[str] = set()
        self._name = describe_briefly if console.is_terminal else describe_point

    def show(self, event: Event) -> None:
        """Count the event and print it."""
        if isinstance(event, Ended) and event.state in (State.DONE, State.FAILED):
            self._ended += 1
        elif isinstance(event, RungCompleted):
            self._held[event.iteration] = event.paused
        self._print(event)

    @property
    def _whole(self) -> int:
        """How many runs go on to their ends: a run that was paused is neither done nor left."""
        return max(self._ended, self._total - sum(self._held.values()))

    def _print(self, event: Event) -> None:
        line = on_one_line(describe(event, self._ended, self._whole, self._name))
        # On a terminal a finished run keeps to one line; a failure is always printed in full.
        brief = self._console.is_terminal and isinstance(event, Ended) and event.state is State.DONE
        if brief:
            self._console.print(line, no_wrap=True, overflow="ellipsis")
        else:
            print_hanging(line, _BEHIND_LABEL, self._console)
        if isinstance(event, Ended):
            for notice in event.notices:
                if notice in self._noticed:  # by another run: a grid of hundreds says it once
                    continue
                self._noticed.add(notice)
                text = Text(f"   notice  {short(event.run.run_id)}  {notice}", style="yellow")
                print_hanging(on_one_line(text), _BEHIND_LABEL, self._console)

    def refresh(self, snapshot: ExecutionSnapshot) -> None:
        """Do nothing: printed lines are not updated."""

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End."""


class QuietBoard(PlainBoard):
    """Prints failures and what keeps runs from starting, one line each."""

    def _print(self, event: Event) -> None:
        """Print the event if it is a failure or keeps runs from starting."""
        is_failure = isinstance(event, Ended) and event.state is State.FAILED
        if is_failure or isinstance(event, Paused | Blocked | Controlled | ControlFailed):
            super()._print(event)


class JsonBoard(PlainBoard):
    """Prints one JSON object per line, for scripts."""

    def show(self, event: Event) -> None:
        """Write the event as one line of JSON."""
        stream = self._console.file
        stream.write(json_text(event_as_json(event)) + "\n")
        stream.flush()


def describe(  # noqa: C901, PLR0911 # one per kind of event
    event: Event, over: int, total: int, name: Callable[[Mapping[str, Value]], str] = describe_point
) -> Text:
    """Return an event as one line; ``name`` formats the values of a run's axes."""
    match event:
        case AttemptStarted(run=run, action=action, attempt=attempt):
            note = "" if attempt == 1 else f"  (attempt {attempt}: {event.reason})"
            return Text(f"{action.value:>9}  {short(run.run_id)}  {name(run.naming)}{note}")
        case Ended(run=run, state=state):
            seconds = event.seconds if event.executed else event.lasted
            took = "" if seconds is None else f"  {seconds:.1f} s"
            place = f"{over}/{total}" if state in (State.DONE, State.FAILED) else ""
            return Text.assemble(
                (f"{place:>9}  ", "dim"),
                f"{short(run.run_id)}  ",
                (word_of(event), COLOURS[state]),
                f"{took}  {name(run.naming)}  ",
                (_outcome_of(event), "dim" if state is State.DONE else ""),
            )
        case Advanced(run=run):
            how_far = f"{event.iteration}/{event.iterations}  {event.seconds:.1f} s"
            told = f"{name(run.naming)}  {describe_metrics(event.metrics)}"
            return Text(f"   paused  {short(run.run_id)}  {how_far}  {told}")
        case RungCompleted():
            return Text(f"  halving  {_describe_comparison(event)}")
        case Adopted(run=run):
            return Text(f"     wait  {short(run.run_id)}  {name(run.naming)}  ({event.reason})")
        case Retrying(run=run, attempt=attempt, delay=delay, alone=alone):
            when = "alone on its GPU" if alone else f"in {describe_seconds(delay)}"
            return Text(
                f"    again  {short(run.run_id)}  {when}: {event.reason}  "
                f"{name(run.naming)}  (attempt {attempt + 1})",
                style="yellow",
            )
        case Blocked(slot=slot):
            return Text(f"  waiting  slot {slot.number}: {event.reason}", style="yellow")
        case Paused(reason=reason, seconds=seconds):
            then = (
                f"nothing starts for {describe_seconds(seconds)}, then one is tried"
                if seconds < inf
                else "the rest is left to the next orch run"
            )
            return Text(f"   paused  {reason}: {then}", style="yellow")
        case Controlled():
            return Text(f"  control  {describe_allotment(event)}", style="yellow")
        case ControlFailed(reason=reason):
            return Text(f"  control  nothing changed: {reason}", style="yellow")
        case Stopping():
            return Text(describe_stopping(event), style="yellow")


def _describe_comparison(event: RungCompleted) -> str:
    who = f"the best {event.best}" if event.best else "none"
    go_on = "go on" if event.best > 1 else "goes on"
    told = (
        f"after iteration {event.iteration}, {who} of {event.runs} runs {go_on}, by {event.metric}"
    )
    told += f", {event.unevenness}" * bool(event.unevenness)
    has = "has" if event.failed == 1 else "have"
    return f"{told}; {event.failed} {has} failed" if event.failed else told


def _outcome_of(event: Ended) -> str:
    if event.state is not State.DONE:
        return event.reason
    metrics = describe_metrics(event.metrics)
    return metrics if event.reason == FINISHED else f"{metrics}  ({event.reason})"


def describe_metrics(metrics: Mapping[str, float | str]) -> str:
    """Return the newest metrics on one line."""
    return "  ".join(f"{key} {metric_cell(value)}" for key, value in metrics.items())


def describe_pace(pace: Pace, unit: str = " runs") -> str:
    """Return the pace and the estimated remaining time, where they are known."""
    parts = []
    if pace.rate is not None:
        parts.append(
            f"{pace.rate:.3g}{unit}/h"
            if pace.rate < _PER_MINUTE
            else f"{pace.rate / 60:.0f}{unit}/min"
        )
    if pace.remaining is not None:
        parts.append(f"{describe_seconds(pace.remaining)} left")
    return "  ".join(parts)
