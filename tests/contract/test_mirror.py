"""The tests mirror the packages: each module that decides something has a test file of its name."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The modules without a test file of their name, and why they need none.
NEED_NONE = {
    "orchestrator/__main__.py": "calls the command line",
    "orchestrator/cli/choose_picture.py": "draws; tests/orchestrator/cli/commands/test_plot.py reads the figures",
    "orchestrator/cli/cluster_plan.py": "prints; tests/orchestrator/cli/commands/test_cluster_run.py reads it",
    "orchestrator/cli/cluster_run.py": "joins; tests/orchestrator/cli/commands/test_cluster_run.py watches pilots with it",
    "orchestrator/cli/cluster_watch.py": "joins; tests/orchestrator/cli/commands/test_cluster_run.py watches with it",
    "orchestrator/cli/options_by_command.py": "declares options; docs/reference/cli.md is made from them",
    "orchestrator/cli/runs_for_results.py": "reads; the tests of orch results and orch plot compare what it reads",
    "orchestrator/cli/config_candidates.py": "reads configs; tests/orchestrator/cli/test_completion.py completes",
    "orchestrator/cli/execution_options.py": "declares options; docs/reference/cli.md is made from them",
    "orchestrator/cli/exit_codes.py": "names numbers; docs/reference/cli.md is compared with them",
    "orchestrator/cli/gpu_hour_limit.py": "tests/orchestrator/cli/commands/test_cluster_run.py forecasts and limits them",
    "orchestrator/cli/picture_notes.py": "writes notes; tests/orchestrator/cli/commands/test_plot.py reads them",
    "orchestrator/cli/pilots_output.py": "prints; tests/orchestrator/cli/commands/test_cluster_run.py reads it",
    "orchestrator/cli/plot_options.py": "declares options; docs/reference/cli.md is made from them",
    "orchestrator/cli/report_contents.py": "collects; tests/orchestrator/cli/commands/test_report.py reads the page",
    "orchestrator/cli/report_secrets.py": "conceals; tests/orchestrator/cli/commands/test_report.py reads the page",
    "orchestrator/cli/report_tables.py": "makes tables; tests/orchestrator/cli/commands/test_report.py reads the page",
    "orchestrator/cli/prepare_option.py": "prints; tests/orchestrator/cli/commands/test_work.py reads it",
    "orchestrator/cli/results_options.py": "declares options; docs/reference/cli.md is made from them",
    "orchestrator/cli/results_output.py": "prints; tests/orchestrator/cli/commands/test_results.py reads it",
    "orchestrator/cli/run_setup.py": "tests/orchestrator/cli/commands/test_run.py and tests/end_to_end begin with it",
    "orchestrator/cli/state_colours.py": "names colours",
    "orchestrator/cli/status_source.py": "opens what is looked at; tests/orchestrator/cli/commands/test_status.py looks",
    "orchestrator/cli/waiting_notices.py": "prints one line",
    "orchestrator/config/grid_composer.py": "test_load and test_composed_template compare it with Hydra",
    "orchestrator/config/secret_words_and_forms.py": "lists names and forms; credential_check decides with them",
    "orchestrator/errors.py": "declares the errors of users",
    "orchestrator/execution/ended_runs.py": "keeps and shows; tests/orchestrator/execution/test_engine.py ends runs with it",
    "orchestrator/execution/events.py": "declares values",
    "orchestrator/execution/protocols.py": "declares protocols",
    "orchestrator/launchers/hydra_preload.py": "imports what runs need",
    "orchestrator/rundir/metric_names.py": "names a prefix",
    "orchestrator/rundir/run_summary.py": "joins what was read; tests/orchestrator/rundir/test_directory.py reads it",
    "orchestrator/planning/plan_json.py": "tests/orchestrator/planning/test_plan.py and tests/contract/test_plan_json.py read it",
    "orchestrator/planning/work_file.py": "tests/orchestrator/cli/commands/test_work.py prepares and opens it",
    "orchestrator/planning/executable_plan.py": "a value; tests/orchestrator/cli/commands/test_work.py executes it",
    "orchestrator/runner/__main__.py": "calls the runner; tests/orchestrator/runner starts it",
    "orchestrator/runner/forked_runner.py": "runs in a fork; tests/orchestrator/launchers/test_pool.py forks it",
    "orchestrator/slurm/find_pilots.py": "tests/orchestrator/cli/commands/test_cluster_run.py lists and withdraws them",
    "orchestrator/tracking/batch.py": "declares a value",
    "orchestrator/tracking/note_tags.py": "names tags; tests/orchestrator/tracking/test_note_delivery.py sends them",
    "orchestrator/tracking/reported_content.py": "declares a value",
    "trainer/errors.py": "declares the errors of users",
    "trainer/preload.py": "imports what runs need",
}


def modules() -> list[str]:
    """Return the paths of all modules but those that are only the face of a package."""
    return sorted(
        str(path.relative_to(ROOT))
        for package in ("orch", "orchestrator", "trainer")
        for path in (ROOT / package).rglob("*.py")
        if path.name != "__init__.py"
    )


def test_of(module: str) -> Path:
    """Return the path of the tests of a module."""
    path = Path(module)
    return ROOT / "tests" / path.with_name(f"test_{path.stem.strip('_')}.py")


test_of.__test__ = False  # type: ignore[attr-defined] # not a test


@pytest.mark.parametrize("module", modules())
def test_module_has_a_test_file_of_its_name_or_needs_none(module: str) -> None:
    """If this fails for a new module: write the file, or say in ``NEED_NONE`` why it needs none."""
    assert test_of(module).is_file() is (module not in NEED_NONE)


def test_list_names_existing_modules_only() -> None:
    assert set(NEED_NONE) <= set(modules())
