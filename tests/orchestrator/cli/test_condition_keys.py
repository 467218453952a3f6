"""A condition on a tag, a metric or the state of runs is answered with where they are asked for."""

import json
from collections.abc import Sequence

import pytest

from orchestrator.cli.condition_keys import check_keys
from orchestrator.errors import UsageError
from orchestrator.grid.filter_parser import parse_condition
from orchestrator.grid.identity import Run
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.note_file import change_note


@pytest.fixture
def directories(experiment: ExperimentDirectory, runs: Sequence[Run]) -> list[RunDirectory]:
    """Return the directories of runs, the last of which has a tag and a metric."""
    made = [experiment.create(run) for run in runs]
    change_note(made[-1].path, tags={"phase": "2", "state": "odd"})
    made[-1].results.write_text(json.dumps({"schema": 1, "test": {"test/accuracy": 0.5}}))
    return made


def check(text: str, directories: Sequence[RunDirectory]) -> None:
    condition = parse_condition(text, "--where")
    check_keys(condition, sorted(condition.keys), directories)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "test/accuracy > 0.9",
            (
                "--where 'test/accuracy > 0.9': 'test/accuracy' is a metric, and --where reads the config,"
                " the note and the tags of a run. Order the runs by it with orch status --sort"
                " test/accuracy."
            ),
        ),
        (
            "phase == 2",
            "--where 'phase == 2': no run has the key 'phase'. Did you mean tags.phase?",
        ),
        ("aaa == 1 & phase == 2", "no run has the key 'phase'. Did you mean tags.phase?"),
        ('state == "done"', "no run has the key 'state'. Did you mean tags.state?"),
    ],
)
def test_what_a_run_has_elsewhere_is_told(
    directories: Sequence[RunDirectory], text: str, message: str
) -> None:
    """One line, whichever of the runs has it."""
    with pytest.raises(UsageError) as refusal:
        check(text, directories)
    assert message in str(refusal.value)


def test_state_is_asked_for_with_its_option(directories: Sequence[RunDirectory]) -> None:
    with pytest.raises(UsageError, match=r"'state' is not in a config, .* orch status --state\.$"):
        check('state == "done"', directories[:-1])


def test_key_that_is_nothing_is_left_to_others(directories: Sequence[RunDirectory]) -> None:
    """They name the nearest key of the config."""
    check("sede == 1", directories)
