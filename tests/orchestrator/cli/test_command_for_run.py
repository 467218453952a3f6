"""The command for a run yields exactly this run from the current config, or none is named."""

import json
from pathlib import Path

import pytest
from thinning import covering, others_in_soak

from orchestrator.cli.arguments import parse_arguments
from orchestrator.cli.command_for_run import OwnCommand, find_own_command
from orchestrator.cli.lookup import source_of
from orchestrator.cli.next_command import split_words
from orchestrator.planning.load import load_plan
from orchestrator.rundir import code_record
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.run_summary import report_on

CONFIG = "results_dir: {}/results\nexperiment_id: grid\nlr: 0.1\nseed: 0\nwidth: 1\n"


class Project:
    """A config folder, and run directories of its grid."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "conf/config.yaml"
        self.config.parent.mkdir()
        self.config.write_text(CONFIG.format(folder))
        self.experiment = ExperimentDirectory(folder / "results", "grid")

    def options(self, *overrides: str):  # noqa: ANN201 # argparse's
        return parse_arguments(["--config-dir", str(self.config.parent), "show", "x", *overrides])

    def make(self, *overrides: str) -> RunDirectory:
        """Make the directory of the first run of a grid."""
        self.experiment.prepare()
        planned = load_plan(source_of(self.options(*overrides))).plan
        return self.experiment.create(planned.selection.runs[0])

    def command(self, directory: RunDirectory, *overrides: str) -> OwnCommand:
        return find_own_command(self.options(*overrides), directory, report_on(directory))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def words(found: OwnCommand) -> list[str]:
    assert found.command is not None
    return split_words(found.command)[3:]


def test_axes_are_part_of_the_command(project: Project) -> None:
    assert words(project.command(project.make("lr=0.2,9", "seed=1,9"))) == ["lr=0.2", "seed=1"]


def test_key_that_was_deleted_is_deleted_again(project: Project) -> None:
    directory = project.make("~width", "lr=0.2")
    assert words(project.command(directory)) == ["~width", "lr=0.2"]
    assert words(project.command(directory, "~width")) == ["~width", "lr=0.2"]


def test_given_overrides_are_kept_unless_the_run_has_another_value(project: Project) -> None:
    directory = project.make("lr=0.2,9", "width=3")
    assert words(project.command(directory, "width=3", "lr=0.1,0.2")) == ["width=3", "lr=0.2"]


@pytest.mark.parametrize(
    ("typed", "given", "settings"),
    [
        ("orch run lr=0.2 '+orch.command=[a, \"{lr}\"]'", (), ['+orch.command=[a, "{lr}"]']),
        (
            "orch run +orch.retries=2 --workers 2 orch.grace=9",
            (),
            ["+orch.retries=2", "orch.grace=9"],
        ),
        ("orch run +orch.retries=2", ("+orch.retries=3",), ["+orch.retries=3"]),  # those of now
        ("orch run +orch.no_such_setting=2", (), []),
        (
            """orch run $'+orch.command=[sh,-c,"a\\x0ab"]'""",
            (),
            ['+orch.command=[sh,-c,"a\nb"]'],
        ),
        ("orch run '+orch.command=[a,***]'", ("+orch.command=[b]",), ["+orch.command=[b]"]),
        ("orch run lr=0.2,0.3 '+orch.grids=[{lr: \"4,5\"}]'", (), []),  # it would yield other runs
        ("orch 'run", (), []),
        (7, (), []),
    ],
)
def test_settings_that_the_last_command_gave_are_given_again(
    project: Project, typed: object, given: tuple[str, ...], settings: list[str]
) -> None:
    """The run ID does not tell them, and without its program or its metrics a run goes on as another."""
    directory = project.make("seed=1,9")
    attempts = [{"attempt": 1, "directory": "/", "files": {}, "typed": typed}]
    (directory.path / code_record.NAME).write_text(json.dumps({"attempts": attempts}))
    found = words(project.command(directory, *given))
    assert found == sorted([*settings, "seed=1"], key=lambda word: word == "seed=1")


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        ("+orch.env.TOKEN=***", "orch.env.TOKEN"),
        ('+orch.command=[a,"--api_key=abcd1234efgh5678"]', "orch.command"),
    ],
)
def test_setting_with_a_credential_has_to_be_typed_again(
    project: Project, setting: str, key: str
) -> None:
    """A command without it would continue the run by another program, or elsewhere."""
    directory = project.make("seed=1,9")
    attempts = [
        {"attempt": 1, "directory": "/", "files": {}, "typed": f"orch run '{setting}' seed=1"}
    ]
    (directory.path / code_record.NAME).write_text(json.dumps({"attempts": attempts}))
    found = project.command(directory)
    assert found.command is None
    assert found.overrides is None
    assert found.reason == (
        f"{key} was typed with what looks like a credential, which is not recorded: add it to the command"
    )


def test_changes_of_the_config_are_undone(project: Project) -> None:
    directory = project.make("seed=1,9")
    project.config.write_text(project.config.read_text().replace("width: 1", "width: 2"))
    assert words(project.command(directory)) == ["seed=1", "width=1"]


@pytest.mark.parametrize("content", ["seed: 7\n", "a: [", None])
def test_run_whose_config_cannot_be_read_is_not_said_to_differ(
    project: Project, content: str | None
) -> None:
    """Edited, damaged or not readable: nobody knows in what it differs."""
    directory = project.make("seed=1,9")
    directory.config.unlink()
    if content is None:
        directory.config.mkdir()
    else:
        directory.config.write_text(content)
    found = project.command(directory)
    assert found.command is None
    assert found.reason.startswith(f"{directory.config}: ")
    assert "another config" not in found.reason
    assert not found.reason.endswith(".")


def test_run_of_quite_another_config_has_no_command(project: Project) -> None:
    directory = project.make("seed=1,9")
    more = "".join(f"k{number}: 1\n" for number in range(20))
    project.config.write_text(project.config.read_text() + more)
    found = project.command(directory)
    assert found.command is None
    assert found.reason.endswith("differs in k0, k1, k2, k3, k4 and 15 more")


def test_config_that_cannot_be_composed_yields_no_command(project: Project) -> None:
    directory = project.make("seed=1,9")
    project.config.write_text("lr: [\n")
    assert project.command(directory).command is None


GRIDS = """\
kind: a
orch:
  grids: [{lr: "0.2,0.3", kind: "a,b"}, {"+depth": "1,2"}, {seed: "7,8", width: 5}]
  zip: [[lr, kind]]
  when: {seed: "width == 5 | width == 6"}
hydra: {sweeper: {params: {width: "1,6", seed: "0,1"}}}
"""


@pytest.mark.parametrize("is_thin", others_in_soak([True, False], [True]))
@pytest.mark.parametrize(
    "given", others_in_soak([("seed=3,4",), ("width=6",), ()], [("seed=3,4",)])
)
def test_each_run_of_several_grids_has_a_command_that_yields_it_alone(
    project: Project, given: tuple[str, ...], *, is_thin: bool
) -> None:
    """Also one with axes that vary together, or that are not set.

    So few runs that each value of an axis is in one of them, or all runs.
    """
    text = project.config.read_text().replace("width: 1", "width: 2")
    project.config.write_text(text + GRIDS)
    project.experiment.prepare()
    runs = load_plan(source_of(project.options(*given))).plan.selection.runs
    assert len(runs) >= 8
    for run in covering(runs, lambda run: run.overrides.items()) if is_thin else runs:
        found = project.command(project.experiment.create(run))
        assert found.overrides is not None, run.overrides
        planned = load_plan(source_of(project.options(*found.overrides))).plan
        assert [each.run_id for each in planned.selection.runs] == [run.run_id], found


@pytest.mark.parametrize("given", [(), ("_filters=['lr == 0.2 ! seed < 4']",)])
def test_run_that_a_filter_excludes_now_has_a_command_without_filters(
    project: Project, given: tuple[str, ...]
) -> None:
    """Or it would yield nothing; other values may be missing as well."""
    directory = project.make("lr=0.2,9", "seed=1,9")
    text = project.config.read_text().replace(
        "width: 1", "width: 1\n_filters: [lr == 0.2 ! seed == 1]"
    )
    project.config.write_text(text)
    found = project.command(directory, *given)
    assert found.overrides == ("lr=0.2", "seed=1", "_filters=null")
    planned = load_plan(source_of(project.options(*found.overrides))).plan
    assert [run.run_id for run in planned.selection.runs] == [directory.run_id]
    project.config.write_text(text.replace("width: 1", "width: 3"))
    assert project.command(directory, *given).overrides == (*found.overrides, "width=1")
    other = project.make("lr=0.3", "seed=1", "width=3")
    assert project.command(other).overrides == ("lr=0.3", "seed=1", "width=3")


def test_run_of_a_search_has_a_command_without_the_search(project: Project) -> None:
    directory = project.make("lr=0.2,9")
    more = "orch: {search: {metric: loss, points: 3}}\nhydra: {sweeper: {params: {lr: 'interval(0,1)'}}}\n"
    project.config.write_text(project.config.read_text() + more)
    assert words(project.command(directory)) == ["lr=0.2", "orch.search=null"]
