"""A run directory is used only if it holds what its name promises."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.errors import RunDirectoryError
from orchestrator.grid.identity import Run, RunId, identify
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.records import now
from orchestrator.rundir.run_summary import report_on
from orchestrator.rundir.state import Record, State, Status

PLANNED = {
    "results_dir": "results",
    "lr": 0.1,
    "device": "cpu",
    "model": {"_target_": "torch.nn.Linear", "in_features": 8},
}
EXCLUDE = ("device",)


@pytest.fixture
def run() -> Run:
    """Return a run in whose identity one key does not count."""
    return identify(PLANNED, {"lr": 0.1}, EXCLUDE)


@pytest.fixture
def excluding(experiment: ExperimentDirectory) -> ExperimentDirectory:
    """Return the experiment of that run."""
    return ExperimentDirectory(experiment.results_dir, "first", EXCLUDE)


def prepare(experiment: ExperimentDirectory, run: Run, config: str) -> RunDirectory:
    """Make a run directory as somebody else may, with all that can be written down without a hash."""
    directory = experiment.create(run)
    directory.config.write_text(config)
    identity = json.loads(directory.identity.read_text())
    identity["config_sha256"] = hashlib.sha256(config.encode()).hexdigest()
    directory.identity.write_text(json.dumps(identity))
    return directory


def with_changes(**changes: object) -> str:
    """Return the planned config with some other values, as YAML."""
    return json.dumps({**PLANNED, **changes}, indent=1)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (with_changes(lr=123), "lr is 123 there, 0.1 here"),
        (with_changes(extra=1), "extra is 1 there, nothing here"),
        (with_changes(device={"_target_": "numpy.load"}), "device._target_ is"),
        (with_changes(results_dir={"_target_": "numpy.load"}), "results_dir is not a string"),
        (with_changes(model={"_target_": "os.system", "command": "x"}), "model._target_ is"),
        (with_changes(**{"\x1b]0;title\x07": 1}), r"\?\]0;title\? is 1"),
        ("lr: [", "while parsing"),
        ("[]", "lr is nothing there"),
    ],
)
def test_config_that_another_user_prepared_is_not_executed(
    excluding: ExperimentDirectory, run: Run, config: str, told: str
) -> None:
    """One line tells what differs from the planned one."""
    prepare(excluding, run, config)
    with pytest.raises(RunDirectoryError, match=told) as caught:
        excluding.create(run)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "config",
    [
        with_changes(),
        with_changes(lr=1e-1),
        with_changes(device="cuda"),
        with_changes(results_dir="elsewhere"),
        with_changes(experiment_id="second"),
    ],
)
def test_config_that_means_the_same_run_is_executed(
    excluding: ExperimentDirectory, run: Run, config: str
) -> None:
    """However it was written, and with what does not count for the identity."""
    prepare(excluding, run, config)
    excluding.create(run)


@pytest.mark.parametrize("there", ["secret", "${oc.env:KEY}"])
@pytest.mark.parametrize("planned", ["secret", "${oc.env:KEY}"])
def test_secret_may_be_written_down_in_either_way(
    experiment: ExperimentDirectory, monkeypatch: pytest.MonkeyPatch, there: str, planned: str
) -> None:
    """An earlier version may not have taken it for one, or taken it for one."""
    monkeypatch.setenv("KEY", "secret")
    made = identify({"api": "secret"}, {})
    experiment.create(replace(made, written={"api": there}))
    experiment.create(replace(made, written={"api": planned}))


@pytest.mark.parametrize("record", [*Record, None])
@pytest.mark.parametrize(
    "named", [{"run_id": "0123456789abcdef"}, {"digest": "0123456789abcdef" * 4}]
)
def test_copy_under_the_name_of_another_run_is_an_error(
    experiment: ExperimentDirectory,
    runs: list[Run],
    record: Record | None,
    named: Mapping[str, str],
) -> None:
    """It is nobody's result, and what its state was does not matter."""
    one = experiment.create(runs[0])
    if record:
        one.write_status(Status(record, 1, now(), "box", 1))
    copy = experiment.run(runs[1].run_id)
    shutil.copytree(one.path, copy.path)
    changed = experiment.create(runs[2])
    change(changed, **named)
    if record:
        changed.write_status(Status(record, 1, now(), "box", 1))
    for each in (copy, changed):
        assert experiment.observe([each.run_id]) == {each.run_id: each.observe()}
        assert each.observe().state is State.FAILED
        assert "it belongs to the run" in report_on(each).seen.reason
    with pytest.raises(RunDirectoryError, match="it belongs to another config, seed is 0 there"):
        experiment.create(runs[1])
    assert one.observe().state is not State.FAILED or record is Record.FAILED


def change(directory: RunDirectory, **fields: Any) -> None:
    """Change what ``run.json`` says."""
    identity = json.loads(directory.identity.read_text())
    directory.identity.write_text(json.dumps({**identity, **fields}))


def test_config_is_hashed_when_it_is_read(excluding: ExperimentDirectory, run: Run) -> None:
    """An edit is noticed, with and without a hash of the text."""
    directory = prepare(excluding, run, with_changes(device="cuda"))
    assert directory.read_config()["device"] == "cuda"
    prepare(excluding, run, with_changes(lr=0.2))
    with pytest.raises(RunDirectoryError, match="its hash is not the run ID"):
        directory.read_config()
    directory.config.write_text(with_changes(lr=0.3))
    with pytest.raises(RunDirectoryError, match="edited"):
        directory.read_config()


def test_config_of_an_earlier_version_is_read(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """It says neither what its text hashed to nor which keys did not count."""
    directory = experiment.create(runs[0])
    record = {"schema": 1, "run_id": runs[0].run_id, "digest": runs[0].digest, "overrides": {}}
    directory.identity.write_text(json.dumps(record))
    assert directory.read_config() == {"seed": 0, "lr": 0.1}
    assert directory.observe().state is State.PENDING


def test_overrides_that_no_command_line_makes_are_none(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """Nothing that is read can be too deep to be shown."""
    directory = experiment.create(runs[0])
    for hostile in (json.loads("[" * 200 + "]" * 200), "text", None):
        change(directory, overrides={"a": hostile} if isinstance(hostile, list) else hostile)
        assert directory.read_chosen().overrides == {}
    assert experiment.run(RunId("0" * 16)).observe().state is State.PENDING


STAND_IN = "/<hydra:runtime.output_dir>"


@pytest.fixture
def own(excluding: ExperimentDirectory) -> Run:
    """Return a run whose config contains its directory and its overrides."""
    stand_ins = {("paths", "out"): f"{STAND_IN}/x", ("tags", 1): "<hydra:job.override_dirname>"}
    hashed = identify(
        {"lr": 1, "paths": {"out": f"{STAND_IN}/x"}, "tags": [0, stand_ins["tags", 1]]}, {}
    )
    out = f"{excluding.run(hashed.run_id).path.resolve()}/x"
    config = {"lr": 1, "paths": {"out": out}, "tags": [0, "lr=1"]}
    return replace(hashed, config=config, written=config, stand_ins=stand_ins)


def test_directory_tells_by_itself_what_was_hashed(
    excluding: ExperimentDirectory, own: Run
) -> None:
    """The values that only the run has are in its config, and their stand-ins beside it."""
    directory = excluding.create(own)
    assert directory.read_config() == own.config
    assert directory.read_hashed_config()["paths"] == {"out": f"{STAND_IN}/x"}
    prepare(excluding, own, json.dumps({**own.config, "lr": 2}))
    with pytest.raises(RunDirectoryError, match="its hash is not the run ID"):
        directory.read_config()


@pytest.mark.parametrize(
    "damage", [[], 3, [3], [["paths"]], [[["nothing"], 1]], [[["tags", 9], 1]], [[[["x"]], 1]]]
)
def test_damaged_stand_ins_are_an_error_and_nothing_else(
    excluding: ExperimentDirectory, own: Run, damage: object
) -> None:
    """Whatever stands in their place."""
    directory = excluding.create(own)
    identity = json.loads(directory.identity.read_text())
    directory.identity.write_text(json.dumps({**identity, "identity_stand_ins": damage}))
    with pytest.raises(RunDirectoryError, match="its hash is not the run ID"):
        directory.read_config()


def test_run_keeps_the_overrides_that_its_directory_was_made_with(
    excluding: ExperimentDirectory, own: Run
) -> None:
    """They may be written in another way in the command that resumes it."""
    excluding.create(own)
    other = {**own.config, "tags": [0, "lr=1.0"]}
    excluding.create(replace(own, config=other, written=other))


def test_moved_directory_is_not_resumed_where_its_config_names_the_old_place(
    excluding: ExperimentDirectory, own: Run
) -> None:
    """Its program would write to where it was."""
    directory = excluding.create(own)
    elsewhere = {**own.config, "paths": {"out": f"/elsewhere/{own.run_id}/x"}}
    content = json.dumps(elsewhere)
    directory.config.write_text(content)
    identity = json.loads(directory.identity.read_text())
    digest = hashlib.sha256(content.encode()).hexdigest()
    directory.identity.write_text(json.dumps({**identity, "config_sha256": digest}))
    assert directory.read_config() == elsewhere
    with pytest.raises(
        RunDirectoryError, match=r"it was moved, and paths\.out in its config\.yaml"
    ):
        excluding.create(own)
