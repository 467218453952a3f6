"""``orch run`` does what ``orch plan`` shows."""

import errno
import json
import shutil
from collections.abc import Callable

import pytest

from orchestrator.cli import forecast_output
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.state import Record

from .conftest import Grid, write_log

SEEDS = "seed=range(7)"


def test_plan_shows_what_run_does(grid: Grid, output: Callable[[], str]) -> None:
    """Whatever state a run is in: the same runs, the same actions, for the same reasons."""
    with (grid.folder / "conf/config.yaml").open("a") as config:
        config.write("orch: {command: ['true'], tracking: {enabled: false}}\n")
    for seed, record in enumerate(Record):
        grid.make(0.1, seed, record=record)
    unreadable, zeros = (grid.make(0.1, seed) for seed in (4, 5))
    (unreadable.path / "status.json").write_bytes(b'{"schema": 1, "sta')
    (zeros.path / "status.json").write_bytes(bytes(30))

    grid.orch("plan", SEEDS, "--json")
    planned = json.loads(output())["runs"]
    assert [run["action"] for run in planned] == [
        *["resume", "skip", "retry", "resume", "resume", "resume", "run"]
    ]
    assert grid.orch("run", SEEDS, "--json", "--workers", "1") == 0
    events = [json.loads(line) for line in output().splitlines()]
    started = [event for event in events if event["event"] == "started"]
    assert [(event["run_id"], event["action"]) for event in started] == [
        (run["run_id"], run["action"]) for run in planned if run["action"] != "skip"
    ]

    grid.orch("plan", SEEDS, "--json")
    assert {run["action"] for run in json.loads(output())["runs"]} == {"skip"}
    assert grid.orch("run", SEEDS, "--json", "--workers", "1") == 0
    assert "started" not in output()


def use_command(grid: Grid, *words: str) -> None:
    with (grid.folder / "conf/config.yaml").open("a") as config:
        config.write(f"orch: {{command: {json.dumps(words)}, tracking: {{enabled: false}}}}\n")


@pytest.mark.parametrize(
    ("program", "counts"),
    [
        ("true", {"runs": 2, "done": 2, "failed": 0, "left": 0, "exit_code": 0}),
        ("false", {"runs": 2, "done": 0, "failed": 2, "left": 0, "exit_code": 1}),
    ],
)
def test_json_ends_with_counts(
    grid: Grid, output: Callable[[], str], program: str, counts: dict[str, int]
) -> None:
    """Always, also where there is nothing to do; a script needs no case of its own for that."""
    use_command(grid, program)
    for _ in range(2):
        assert grid.orch("run", "seed=0,1", "--json") == counts["exit_code"]
        last = json.loads(output().splitlines()[-1])
        assert {"event": "finished", "reason": None, **counts}.items() <= last.items()


def test_failure_is_told_once_and_then_the_command_to_look_at_it(
    grid: Grid, output: Callable[[], str]
) -> None:
    """The sentence stands in the line of the end; one more time would be noise."""
    use_command(grid, "false")
    assert grid.orch("run", "seed=7,8", "--retries=0") == 1
    told = output()
    path = next(iter(grid.experiment.training.glob("*/status.json")))
    sentence = json.loads(path.read_text())["error"]["message"]
    assert told.count(sentence) == 2  # once of each run
    lines = [line for line in told.splitlines() if line.startswith("failed ")]
    assert sorted(line.partition("  orch logs ")[0] for line in lines) == [
        *("failed seed=7", "failed seed=8")
    ]


def test_credential_on_the_command_line_is_printed_nowhere(
    grid: Grid, output: Callable[[], str]
) -> None:
    """The command that is recommended needs none of the grid."""
    use_command(grid, "false")
    assert grid.orch("run", "seed=7", "+api_key=canary", "--retries=0") == 1
    told = output()
    assert "canary" not in told
    assert "+api_key" not in told


def test_only_attempts_have_logs_to_be_looked_at(grid: Grid, output: Callable[[], str]) -> None:
    """A run that could not be started has none."""
    use_command(grid, "/no/such/program")
    assert grid.orch("run", "seed=7", "--retries=0") == 1
    (line,) = (line for line in output().splitlines() if line.startswith("failed "))
    has_log = any(grid.experiment.training.rglob("attempt-*.log"))
    assert ("orch logs" in line) == has_log
    assert ("orch show" in line) != has_log


def test_run_without_a_directory_is_told_with_its_reason(
    grid: Grid, output: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be shown of it."""
    use_command(grid, "true")

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", "/x/.new-1", None, "/x")

    monkeypatch.setattr(ExperimentDirectory, "create", refuse)
    for more in ([], ["--quiet"]):
        assert grid.orch("run", "seed=7", "--retries=0", *more) == 1
        told = output()
        assert told.count("it could not be started: /x: Read-only file system") == 1
        assert "orch show" not in told


def test_damaged_record_of_a_finished_run_is_rebuilt_without_repeating_it(
    grid: Grid, output: Callable[[], str]
) -> None:
    """Told by the plan, healed by the next run, gone after that."""
    use_command(grid, "false")
    done = grid.make(0.1, 0)
    done.identity.write_text("{")
    assert grid.orch("plan", "--json") == 0
    (run,) = json.loads(output())["runs"]
    assert run["state"] == "done"
    assert "run.json" in run["reason"]
    assert grid.orch("run") == 0
    assert "Nothing to do" in output()
    grid.orch("plan", "--json")
    assert json.loads(output())["runs"][0]["reason"] == "it has finished"


def test_finished_run_under_the_name_of_another_is_an_error(
    grid: Grid, output: Callable[[], str]
) -> None:
    """It was copied there; nothing is executed in it, and it counts nowhere."""
    use_command(grid, "true")
    one, other = grid.make(0.1, 0), grid.make(0.1, 1)
    shutil.rmtree(other.path)
    shutil.copytree(one.path, other.path)
    assert grid.orch("run", "seed=0,1") == 1
    assert f"it belongs to the run {one.run_id}" in output()
    grid.orch("status", "--json")
    states = {run["run_id"]: run["state"] for run in json.loads(output())["runs"]}
    assert states == {one.run_id: "done", other.run_id: "failed"}


def test_plan_tells_of_results_of_two_versions_of_the_numbers(
    grid: Grid, output: Callable[[], str]
) -> None:
    """The same run would give other results in each."""
    for seed, numbers in enumerate(({"numbers": 1}, {"numbers": 2, "numbers_before": [1]})):
        made = grid.make(0.1, seed)
        made.results.write_text(json.dumps({"schema": 1, "test": {"loss": 1.0}, **numbers}))
    assert grid.orch("plan", "seed=0,1") == 0
    assert "1 by version 1, 1 by version 1 and version 2." in output()
    assert grid.orch("plan", "--json") == 0
    assert json.loads(output())["numbers"] == [{"versions": [1], "runs": 1}]


@pytest.mark.parametrize("attempt", [998, 999, 10**6, 10**9 - 2])
@pytest.mark.parametrize("program", ["true", "false"])
def test_attempts_are_counted_on_however_many_there_were(
    grid: Grid, output: Callable[[], str], program: str, attempt: int
) -> None:
    """What the next one writes can be read again, and its log is found."""
    use_command(grid, "sh", "-c", f"echo attempt {attempt + 1}; {program}")
    made = grid.make(0.1, 0, record=Record.FAILED)
    status = made.path / "status.json"
    status.write_text(status.read_text().replace('"attempt": 1', f'"attempt": {attempt}'))
    write_log(made, b"", attempt)
    assert grid.orch("run") == (0 if program == "true" else 1)
    assert json.loads(status.read_text())["attempt"] == attempt + 1
    output()
    grid.orch("status", "--json")
    (run,) = json.loads(output())["runs"]
    assert run["state"] == ("done" if program == "true" else "failed")
    grid.orch("logs", made.run_id, "--json")
    assert json.loads(output())["text"] == f"attempt {attempt + 1}\n"


def test_runners_do_not_inherit_the_run_that_is_debugged_in_this_shell(
    grid: Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would be taken for processes of it, and it would wait for them."""
    other = grid.make(0.1, 5)
    monkeypatch.setenv("ORCH_RUN_DIR", str(other.path.resolve()))
    use_command(grid, "sh", "-c", r"! tr '\0' '\n' < /proc/$PPID/environ | grep ^ORCH_RUN_DIR=")
    assert grid.orch("run", "seed=0") == 0


def test_end_says_how_right_the_forecast_was(
    grid: Grid, output: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If there was one for all runs, and none is left."""
    monkeypatch.setattr(forecast_output, "_LITTLE", 0.0)  # these runs take less than half a second
    use_command(grid, "true")
    grid.orch("run", "seed=0,1", "--workers=1", "--json")
    (*_, end) = map(json.loads, output().splitlines())
    assert end["seconds"] > 0
    assert end["forecast_seconds"] is None
    grid.orch("run", "seed=range(5)", "--workers=1")
    assert "\ntook " in (said := output())
    assert ", the forecast was " in said
    grid.orch("run", "seed=range(5)", "--workers=1", "--json")
    end = json.loads(output())
    assert (end["seconds"], end["forecast_seconds"]) == (None, None)


def test_placeholder_of_an_excluded_key_keeps_the_value_that_the_run_was_made_with(
    grid: Grid,
) -> None:
    """Its config.yaml says what its program gets, whatever the command that resumes it says."""
    with (grid.folder / "conf/config.yaml").open("a") as config:
        config.write(
            "device: cpu\nplace: {host: a, port: 1}\norch: {identity: {exclude: [device, place]}, "
        )
        config.write(
            "command: [sh, -c, 'echo on {device} of {place.host}; exit {seed}', '{overrides}'], "
        )
        config.write("tracking: {enabled: false}}\n")
    assert grid.orch("run", "seed=3") == 1
    assert grid.orch("run", "seed=3", "device=gpu", "place.host=b") == 1
    (directory,) = grid.experiment.runs()
    told = [log.read_text() for log in sorted(directory.attempt_logs())]
    assert told == ["on cpu of a\n"] * 2
