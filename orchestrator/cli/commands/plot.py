"""``orch plot``: learning curves, or a metric over axes, as a picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.cli.absent_runs import experiments_beside
from orchestrator.cli.choose_picture import draw_picture, look_of
from orchestrator.cli.json_text import write_json
from orchestrator.cli.picture_file import check_out, write_out
from orchestrator.cli.runs_for_results import choose_compared_runs, compare_as_asked
from orchestrator.cli.tables import count_of, note
from orchestrator.errors import UsageError
from orchestrator.extras import PLOTS

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from orchestrator.cli.choose_picture import Picture

_FORMATS: Final = ("png", "svg", "pdf")


def plot(options: argparse.Namespace, console: Console) -> int:
    """Write a picture of the runs that the command line names.

    Raises:
        UsageError: The file cannot be written, matplotlib is not installed, or nothing can be drawn.
        OrchestratorError: The config, the grid, or the condition is wrong.
    """
    separate_metrics(options)
    form = check_out(options.out, _FORMATS)
    if not PLOTS.is_installed:
        raise UsageError(PLOTS.request("orch plot"))
    found = choose_compared_runs(options)
    if found.is_pending:
        beside = experiments_beside(found.experiment)
        raise UsageError(
            f"nothing to draw: no run in {found.experiment.training} has started{beside}."
        )
    picture = draw_picture(found, compare_as_asked(found, options), options)
    from orchestrator.pictures.figure import missing_characters, render  # noqa: PLC0415 # an extra

    write_out(options.out, render(picture.figure, form, look_of(options)))
    notes = [*picture.notes]
    if form != "svg" and (missing := missing_characters(picture.figure)):
        notes.append(f"the font has no {missing}: boxes stand in its place. SVG shows it")
    if options.json:
        told = _as_json(replace(picture, notes=notes), options.out)
        write_json(console, told, indent=2)
        return 0
    metrics = ", ".join(picture.metrics)
    console.print(f"{options.out}: {metrics} of {count_of(len(picture.rows), 'row')}")
    for each in notes:
        console.print(note(each))
    return 0


def separate_metrics(options: argparse.Namespace) -> None:
    """Separate the metrics on a command line from the overrides, which have an equals sign.

    Raises:
        UsageError: A folder is named.
    """
    words = [*options.metrics, *options.overrides]
    options.overrides = [word for word in words if "=" in word or word.startswith("~")]
    options.metrics = [word for word in words if word not in options.overrides]
    for word in options.metrics:
        if Path(word, "training").is_dir():
            raise UsageError(
                f"{word!r} is a folder, not a metric. Choose an experiment with experiment_id={Path(word).name}."
            )


def _as_json(picture: Picture, out: str) -> dict[str, object]:
    return {
        "schema": 1,
        "out": out,
        "kind": picture.kind,
        "metrics": list(picture.metrics),
        "rows": [
            {
                "overrides": dict(row.overrides),
                "runs": row.runs,
                "with_results": row.with_results,
                "run_ids": [run.run_id for _, run in row.members],
            }
            for row in picture.rows
        ],
        "notes": list(picture.notes),
    }
