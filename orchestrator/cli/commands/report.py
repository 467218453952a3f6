"""``orch report``: an experiment as one HTML page, to read, to print and to pass on."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections import Counter
from typing import TYPE_CHECKING, Final

from orchestrator.cli.absent_runs import experiments_beside
from orchestrator.cli.choose_picture import TOP, CurveChoice, draw_learning_curves
from orchestrator.cli.command_for_run import is_halving
from orchestrator.cli.json_text import write_json
from orchestrator.cli.next_command import next_command, options_of_experiment
from orchestrator.cli.picture_file import check_out, write_out
from orchestrator.cli.picture_notes import notes_on_runs
from orchestrator.cli.repeated_halving import halving_words
from orchestrator.cli.report_contents import (
    collect,
    describe_runs,
    end_of_log,
    group_failures,
    moment,
)
from orchestrator.cli.report_secrets import make_concealer
from orchestrator.cli.results_notes import iterations_of
from orchestrator.cli.results_options import words_of_choice
from orchestrator.cli.runs_for_results import choose_compared_runs, compare_as_asked
from orchestrator.cli.tables import count_of
from orchestrator.config.halving_settings import NO_HALVING
from orchestrator.errors import UsageError
from orchestrator.extras import PLOTS, TEMPLATES
from orchestrator.grid.identity import short
from orchestrator.rundir import durable
from orchestrator.rundir.state import State
from orchestrator.rundir.state_words import WORDS, word_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.console import Console

    from orchestrator.cli.report_contents import RunFacts
    from orchestrator.cli.runs_for_results import ComparedRuns
    from orchestrator.pictures.report_page import FailureGroup, ReportPage
    from orchestrator.planning.results_table import ResultsTable
    from orchestrator.rundir.state import Failure

_PANELS: Final = 4
_HIDDEN: Final = "***"
_MOST_FAILURES: Final = 20
_LONGEST_CONFIG: Final = 30_000  # characters


def report(options: argparse.Namespace, console: Console) -> int:
    """Write the page of the runs that the command line names.

    Raises:
        UsageError: The file cannot be written, or a package is not installed.
        OrchestratorError: The config, the grid, or the condition is wrong.
    """
    check_out(options.out, ["html"])
    for extra in (PLOTS, TEMPLATES):
        if not extra.is_installed:
            raise UsageError(extra.request("orch report"))
    found = choose_compared_runs(options)
    if found.is_pending:
        beside = experiments_beside(found.experiment)
        raise UsageError(
            f"nothing to report: no run in {found.experiment.training} has started{beside}."
        )
    from orchestrator.pictures.report_page import render_page  # noqa: PLC0415 # an extra

    page = _make_page(found, compare_as_asked(found, options), options)
    content = render_page(page)
    write_out(options.out, content)
    if options.json:
        told = {
            "schema": 1,
            "out": options.out,
            "bytes": len(content),
            "runs": page.number,
            "rows": len(page.results.rows),
            "states": _count_states(found),
        }
        write_json(console, told, indent=2)
        return 0
    size = f"{len(content) / 1e6:.1f} MB" if len(content) > 1e5 else f"{len(content) // 1000} kB"  # noqa: PLR2004 # a tenth of a megabyte
    console.print(f"{options.out}: {count_of(page.number, 'run')}, {size}. Open it in a browser.")
    return 0


def _count_states(found: ComparedRuns) -> dict[str, int]:
    counts = Counter(run.state for run in found.runs)
    return {state.value: counts[state] for state in State if counts[state]}


def _make_page(
    found: ComparedRuns, compared: ResultsTable, options: argparse.Namespace
) -> ReportPage:
    from orchestrator.cli import report_tables  # noqa: PLC0415 # an extra
    from orchestrator.pictures.report_page import ON_PAGE, ReportPage  # noqa: PLC0415 # an extra

    conceal = make_concealer(found.described, os.environ)
    facts = collect(found.runs)
    words = Counter(word_of(run) for run in found.runs)
    choice = CurveChoice(rows=options.top or TOP, panels=_PANELS)
    try:
        picture = draw_learning_curves(found, compared, choice, ON_PAGE)
        figure, curve_notes = picture.figure, picture.notes
    except UsageError:
        figure, curve_notes = None, ["No run that has finished or is running has a curve."]
    failures = group_failures(facts, conceal)
    config, config_of = _config_of_best(compared, facts, conceal)
    return ReportPage(
        experiment=found.described.experiment_id,
        folder=str(found.experiment.training),
        as_of=moment(max((each.last_change for each in facts.values()), default="")),
        number=len(found.runs),
        states=[(word, words[word]) for word in WORDS if words[word]],
        facts=[
            *describe_runs(list(facts.values()), conceal),
            *_describe_halving(found, facts, options),
        ],
        axes=report_tables.axes_table(found, compared),
        filters=report_tables.filters_table(found),
        results=report_tables.results_of_rows(compared),
        notes=[
            *filter(None, [iterations_of(compared, found.step)]),
            *notes_on_runs(compared, found),
        ],
        figure=figure,
        curve_notes=curve_notes,
        failures=list(_show_failures(failures[:_MOST_FAILURES], facts, conceal)),
        more_failures=max(0, len(failures) - _MOST_FAILURES),
        commands=[_concealed(*each, conceal) for each in _commands(found, facts, options)],
        config=config,
        config_of=config_of,
        runs=report_tables.runs_table(found, compared, facts),
    )


def _show_failures(
    failures: Sequence[tuple[Failure, Sequence[str]]],
    facts: Mapping[str, RunFacts],
    conceal: Callable[[str], str],
) -> Iterator[FailureGroup]:
    from orchestrator.pictures.report_page import FailureGroup  # noqa: PLC0415 # an extra

    for failure, run_ids in failures:
        tail = end_of_log(facts[run_ids[0]].directory, conceal)
        yield FailureGroup(failure.kind, failure.message, [short(it) for it in run_ids], tail)


def _commands(
    found: ComparedRuns, facts: Mapping[str, RunFacts], options: argparse.Namespace
) -> Iterator[tuple[str, str]]:
    """Yield what to type to repeat the experiment, with what each command does."""
    commits = {str(each.code["commit"]) for each in facts.values() if each.code.get("commit")}
    if len(commits) == 1:
        yield "the code", f"git checkout {commits.pop()}"
    if found.planned is not None:
        yield (
            "execute what is not done yet, or all of it in an empty results_dir",
            next_command(_with_halving(found, facts, options), "run"),
        )
    else:
        from orchestrator.cli.repeat_commands import find_repeat_commands  # noqa: PLC0415 # composes configs

        yield from find_repeat_commands(options, found.runs, facts)
    yield "the table above", next_command(options, "results", *words_of_choice(options))
    yield (
        "one run: its config, history, error and the command that continues it",
        next_command(options_of_experiment(options), "show", "RUN"),
    )


def _concealed(what: str, line: str, conceal: Callable[[str], str]) -> tuple[str, str]:
    """Return a command for the page, and what it does; a value that is concealed has to be put in again."""
    shown = conceal(line)
    return (f"{what} (put in the value that is *** here)" if _HIDDEN in shown else what), shown


def _with_halving(
    found: ComparedRuns, facts: Mapping[str, RunFacts], options: argparse.Namespace
) -> argparse.Namespace:
    """Return the options with how the runs were halved, unless they say how."""
    is_configured = found.described.settings.halving is not None
    words = halving_words(facts.values(), options.overrides, is_configured=is_configured)
    return argparse.Namespace(**{**vars(options), "overrides": [*options.overrides, *words]})


def _describe_halving(
    found: ComparedRuns, facts: Mapping[str, RunFacts], options: argparse.Namespace
) -> Iterator[tuple[str, str]]:
    """Yield that runs were compared while they were trained, and how many were trained no further."""
    typed = [*filter(is_halving, _with_halving(found, facts, options).overrides)]
    is_off = bool(typed) and typed[-1].endswith(f"={NO_HALVING}")
    if (typed or found.described.settings.halving is not None) and not is_off:
        how = ", ".join(typed) or "orch.halving of the config"
        paused = sum(each.report.seen.is_paused for each in facts.values())
        yield "halving", f"{how}; {paused} of {count_of(len(facts), 'run')} paused"


def _config_of_best(
    compared: ResultsTable, facts: Mapping[str, RunFacts], conceal: Callable[[str], str]
) -> tuple[str, str]:
    """Return the config of the first run of the best row as it was written, and the run's ID."""
    for row in compared.rows[:1]:
        for _, run in row.members:
            if run.run_id in facts:
                with contextlib.suppress(OSError):
                    text = durable.read_file(facts[run.run_id].directory.config)
                    told = conceal(text.decode(errors="replace")[:_LONGEST_CONFIG])
                    return told, short(run.run_id)
    return "", ""
