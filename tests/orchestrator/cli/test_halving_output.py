"""Halving on the command line: what it starts, shows and says, for programs of any kind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from thinning import others_in_soak

from orchestrator.errors import OrchestratorError, UsageError

from .commands.conftest import Grid, grid, make_grid, output

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["grid", "output"]
PROGRAM = """\
import json, os, pathlib, sys

seed, total, first = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
run_dir = pathlib.Path(os.environ["ORCH_RUN_DIR"])
until = int(os.environ.get("ORCH_STOP_AFTER", total))
state = run_dir / "checkpoints" / "state"
state.parent.mkdir(exist_ok=True)
done = int(state.read_text()) if state.exists() else 0
while done < min(until, total):
    done += 1
    if seed == 9 and done == 2:
        sys.exit("no")
    point = {"key": "loss", "value": abs(seed - 2) / done, "step": done - 1 + first, "timestamp": 1}
    with (run_dir / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(point) + "\\n")
    state.write_text(str(done))
    progress = {"iteration": done, "iterations": total, "saved": done}
    (run_dir / "progress.json").write_text(json.dumps(progress))
    if seed == 8:
        sys.exit("no")
    if seed == 7 and done == until < total:
        os.kill(os.getpid(), 9)
"""
SEEDS = ("seed=range(6)", "--workers=2")
HALVING = "--halving=loss:min:3"


@pytest.fixture(autouse=True)
def _program(grid: Grid) -> None:
    """Let the grid execute a program that can pause."""
    write_program(grid)


@pytest.fixture(scope="module")
def halved(tmp_path_factory: pytest.TempPathFactory) -> Grid:
    """Return a grid whose best runs have finished and whose others are paused; it stays as it is."""
    made = make_grid(tmp_path_factory.mktemp("halved"))
    write_program(made)
    assert made.orch("run", *SEEDS, HALVING) == 0
    return made


def write_program(grid: Grid) -> None:
    """Write a program that can pause, and configure the grid to execute it."""
    (grid.folder / "program.py").write_text(PROGRAM)
    command = ["python", f"{grid.folder}/program.py", "{seed}", "{iterations}", "{first}"]
    with (grid.folder / "conf/config.yaml").open("a") as config:
        config.write(f"iterations: 9\nfirst: 1\norch: {json.dumps({'command': command})[:-1]},")
        config.write(" tracking: {enabled: false}}\n")


def rows(
    grid: Grid, output: Callable[[], str], command: str, *options: str, seeds: str = SEEDS[0]
) -> dict[int, Any]:
    """Return the runs that a command prints as JSON, by seed."""
    output()
    assert grid.orch(command, seeds, *options, "--json") == 0
    return {row["overrides"]["seed"]: row for row in json.loads(output())["runs"]}


def told_of_halving(
    grid: Grid, output: Callable[[], str], command: str, *words: str
) -> tuple[str, str]:
    """Return what a command says of the rungs, and of the iterations that are left, if any."""
    output()
    (grid.experiment.path / "orchestrators.lock").unlink(
        missing_ok=True
    )  # as if orch run had ended
    assert grid.orch(command, *words) == 0
    lines = output().splitlines()
    (at,) = (at for at, line in enumerate(lines) if line.startswith("halving by "))
    return lines[at], lines[at + 1]


@pytest.mark.parametrize("first", others_in_soak([0, 1], [0]), ids="steps from {}".format)
def test_best_third_of_any_programs_runs_goes_on(
    grid: Grid, output: Callable[[], str], first: int
) -> None:
    assert grid.orch("run", *SEEDS, f"first={first}", HALVING) == 0
    said = output()
    assert "halving  after iteration 1, the best 2 of 6 runs go on, by loss" in said
    assert "halving  after iteration 3, the best 1 of 2 runs goes on, by loss" in said
    assert "1 of 6 runs are done, 5 paused by halving. To continue them:\n  orch run " in said
    found = rows(grid, output, "status", f"first={first}", HALVING)
    assert [found[seed]["iteration"] for seed in range(6)] == [1, 3, 9, 1, 1, 1] or [
        found[seed]["iteration"] for seed in range(6)
    ] == [1, 1, 9, 3, 1, 1]  # equal runs are ordered by their IDs
    assert grid.orch("run", *SEEDS, f"first={first}") == 0
    assert "6 of 6 runs are done." in output()


def test_paused_runs_have_their_place_in_plan_and_status(
    halved: Grid, output: Callable[[], str]
) -> None:
    for command in ("plan", "status"):
        found = rows(halved, output, command, HALVING)
        row = found[0]
        assert row["state"] == "stale"
        assert row["reason"].startswith("paused: place ")
        assert row["reason"].endswith(" of 6 after iteration 1, the best 2 go on")
        assert row["halving"]["verdict"] == "paused"
        assert (row["halving"]["rung"], row["halving"]["of"]) == (1, 6)
        assert found[2]["halving"]["verdict"] == "over"
    assert rows(halved, output, "plan", HALVING)[0]["action"] == "pause"
    assert rows(halved, output, "status")[0]["halving"] is None
    assert rows(halved, output, "status")[0]["reason"] == "paused after 1 of 9 iterations"
    halved.orch("status", SEEDS[0], HALVING)
    assert "halving by loss, min: 6 to iteration 1 (done), 2 to iteration 3 (done)" in output()


def test_plan_says_what_it_costs_against_the_whole_grid(
    grid: Grid, halved: Grid, output: Callable[[], str]
) -> None:
    grid.orch("plan", SEEDS[0], HALVING)
    said = output()
    assert "halving by loss, min: 6 to iteration 1, 2 to iteration 3, 1 to the end, 9\n" in said
    assert "  about 16 iterations are left, 30% of the 54 of all runs\n" in said
    grid.orch("plan", SEEDS[0], HALVING, "--json")
    halving = json.loads(output())["halving"]
    assert halving["iterations_left"] == {"halved": 16, "whole": 54}
    assert [rung["runs"] for rung in halving["rungs"]] == [6, 2]
    grid.orch("plan", SEEDS[0], "--halving=loss:min:3:20")
    assert "no rung comes before the end, so all runs are trained to it" in output()
    halved.orch("plan", SEEDS[0], HALVING)
    said = output()
    assert "nothing is left; the paused runs have 38 iterations to their ends" in said
    assert "forecast" not in said


def test_nothing_is_done_once_the_best_runs_have_finished(
    halved: Grid, output: Callable[[], str]
) -> None:
    assert halved.orch("run", *SEEDS, HALVING) == 0
    assert (
        "Nothing to do: 1 of 6 runs are done, 5 paused by halving. To continue them:\n  orch run"
        in output()
    )
    assert halved.orch("run", *SEEDS, HALVING, "--json") == 0
    assert json.loads(output().splitlines()[-1])["exit_code"] == 0


def test_halving_of_the_config_can_be_switched_off(grid: Grid, output: Callable[[], str]) -> None:
    setting = "+orch.halving={metric: loss, mode: min, factor: 3, rungs: [2]}"
    assert grid.orch("run", *SEEDS, setting) == 0
    said = output()
    assert "2 of 6 runs are done, 4 paused by halving" in said
    assert " --halving none " in said.partition("paused by halving. ")[2]
    found = rows(grid, output, "status", setting)
    assert sorted(row["iteration"] for row in found.values()) == [2, 2, 2, 2, 9, 9]
    assert grid.orch("run", *SEEDS, setting, "--halving=none") == 0
    assert "6 of 6 runs are done." in output()


def test_failed_run_is_told_and_holds_nobody_up(grid: Grid, output: Callable[[], str]) -> None:
    seeds = ("seed=2,3,9", "--workers=2", "--halving=loss:min:2:2")
    assert grid.orch("run", *seeds) == 1
    said = output()
    assert "1 of 3 runs are done, 1 failed, 1 paused by halving" in said
    assert grid.orch("run", *seeds) == 1  # it is retried


@pytest.mark.parametrize(
    "halving", others_in_soak(["loss:min:3:2", "loss:min:3:2:async"], ["loss:min:3:2:async"])
)
def test_grid_of_which_all_runs_fail_goes_on_with_none(
    grid: Grid, output: Callable[[], str], halving: str
) -> None:
    words = ("seed=9", "iterations=9,8,7", f"--halving={halving}")
    assert grid.orch("run", *words, "--retries=0") == 1
    said = output()
    if not halving.endswith("async"):  # it tells of no rung
        assert (
            "halving  after iteration 2, none of 3 runs goes on, by loss; 3 have failed\n" in said
        )
    assert said.endswith("\n0 of 3 runs are done, 3 failed.\n")
    for command in ("plan", "status"):  # they are retried
        assert told_of_halving(grid, output, command, *words)[0].endswith(
            ": 3 to iteration 2, 1 to the end, 9"
        )


@pytest.mark.parametrize("mode", others_in_soak(["loss:min:3", "loss:min:3:async"], ["loss:min:3"]))
def test_run_that_fails_right_at_its_rung_does_not_keep_the_only_place(
    grid: Grid, output: Callable[[], str], mode: str
) -> None:
    """It has reported the best value, and another one goes on; the next command retries it."""
    words = ("seed=8,19,20", f"--halving={mode}")
    assert grid.orch("run", *words, "--workers=1") == 1
    assert "1 of 3 runs are done, 1 failed, 1 paused by halving. To" in output()
    for _ in range(2):
        plan, status = (told_of_halving(grid, output, it, *words) for it in ("plan", "status"))
        assert plan == status
        assert "iterations are left" in plan[1]
        found = rows(grid, output, "plan", *words[1:], seeds=words[0])
        assert [found[seed]["action"] for seed in (8, 19, 20)] == ["retry", "skip", "pause"]
        assert grid.orch("run", *words, "--workers=1") == 1
        assert "1 of 3 runs are done, 1 failed, 1 paused by halving. To" in output()


def test_failed_run_that_is_not_retried_is_counted_among_the_paused_and_told(
    grid: Grid, output: Callable[[], str]
) -> None:
    """It failed beyond the rung at which others are better now."""
    assert grid.orch("run", "seed=8", "--halving=none") == 1
    words = ("seed=2,3,8", HALVING)
    assert grid.orch("run", *words) == 0
    told = "2 paused by halving (1 of them failed). To continue them:"
    assert f"1 of 3 runs are done, {told}" in output()
    assert grid.orch("run", *words) == 0
    assert f"Nothing to do: 1 of 3 runs are done, {told}" in output()
    assert grid.orch("run", *words, "--json") == 0
    assert json.loads(output().splitlines()[-1])["paused"] == 2
    plan, status = (told_of_halving(grid, output, it, *words) for it in ("plan", "status"))
    assert plan == status
    assert "nothing is left" in plan[1]


def test_asynchronous_rungs_are_told_before_anything_has_begun(
    grid: Grid, output: Callable[[], str]
) -> None:
    """Whether the number of iterations is known or not."""
    words = ("--halving=loss:min:3:2:async",)
    grid.orch("plan", SEEDS[0], *words)
    assert ": 6 to iteration 2, 2 to iteration 6, 1 to the end, 9\n" in output()
    config = grid.folder / "conf/config.yaml"
    config.write_text(config.read_text().replace("iterations", "epochs"))
    for command in ("plan", "status"):
        grid.orch(command, SEEDS[0], *words)
        told = "6 to iteration 2, 2 further (how many iterations they have is not known yet)"
        assert f"halving by loss, min, asynchronous: {told}\n" in output()
    grid.orch("plan", "seed=1", *words)
    assert "halving by loss, min, asynchronous: a single run is trained to its end\n" in output()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((HALVING, "--order=breadth"), "halving and the order breadth exclude each other"),
        ((HALVING, "--prepare"), "and --prepare leaves them to others. Add --halving none"),
        ((HALVING, "+orch.slurm={}"), "and orch.slurm leaves them to others"),
        (
            (HALVING, r"+orch.metrics_from_output='loss (?P<loss>\S+)'"),
            r"Let the program print the iteration, and add (?P<step>\d+) to the pattern.",
        ),
        (("--halving=loss:3",), "--halving is 'loss:3'. Write it as METRIC:MODE:N"),
        (("--halving=loss:min:1",), "--halving is 'loss:min:1'. Write it as"),
    ],
)
def test_what_contradicts_is_one_line(grid: Grid, options: tuple[str, ...], message: str) -> None:
    with pytest.raises(OrchestratorError) as refusal:
        grid.orch("run", *SEEDS, *options)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_metric_that_no_run_has_ends_the_grid_after_its_first_rung(
    grid: Grid, output: Callable[[], str]
) -> None:
    wrong = "--halving=los:min:3"
    assert grid.orch("run", *SEEDS, wrong) == 2
    told = "halving: no run has the metric 'los' after iteration 1. Did you mean 'loss'? They report loss."
    said = output()
    assert f"ended early: {told}" in said
    # All are left, and the same command would not continue them.
    assert said.endswith("\n0 of 6 runs are done, 6 left.\n")
    with pytest.raises(UsageError) as refusal:
        grid.orch("run", *SEEDS, wrong)
    assert str(refusal.value) == told
    grid.orch("status", SEEDS[0], wrong)
    assert told in output()


def test_breadth_first_advances_all_runs_together(grid: Grid, output: Callable[[], str]) -> None:
    assert grid.orch("run", "seed=0,1,2", "--workers=1", "--order=breadth:4", "--json") == 0
    events = [json.loads(line) for line in output().splitlines()]
    came = [each["iteration"] for each in events if each["event"] == "advanced"]
    assert came == [4, 4, 4, 8, 8, 8]
    ended = [each["state"] for each in events if each["event"] == "ended"]
    assert ended == ["done"] * 3
    assert events[-1]["paused"] == 0


@pytest.mark.parametrize(
    ("options", "told", "code"),
    [
        (("--retries=0",), "1 of 2 runs are done, 1 failed.", 1),
        (
            ("--fail-fast",),
            "0 of 2 runs are done, 1 failed, 1 left, the same command continues it.",
            1,
        ),
        (("--retries=1",), "2 of 2 runs are done.", 0),
    ],
)
def test_run_that_is_killed_at_its_pause_has_failed_unless_a_retry_is_left(
    grid: Grid,
    output: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    told: str,
    code: int,
) -> None:
    monkeypatch.setattr("orchestrator.execution.failure_policy._FIRST_DELAY", 0.0)
    words = ("seed=7,1", "iterations=3", "--workers=1", "--order=breadth:2", *options)
    assert grid.orch("run", *words) == code
    assert output().endswith(f"\n{told}\n")


def test_only_selects_the_runs_that_are_compared(grid: Grid, output: Callable[[], str]) -> None:
    assert grid.orch("run", *SEEDS, "--only=seed > 2", HALVING) == 0
    assert "1 of 3 runs are done, 2 paused by halving" in output()


@pytest.mark.parametrize("words", [(HALVING,), ("+orch.halving=loss:min:3",)])
def test_status_that_names_no_grid_compares_all_runs_that_there_are(
    halved: Grid, output: Callable[[], str], words: tuple[str, ...]
) -> None:
    """By the option, or by the config."""
    halved.orch("status", SEEDS[0], HALVING, "--json")
    named = json.loads(output())
    halved.orch("status", *words, "--json")
    every = json.loads(output())
    assert every["halving"] == named["halving"]
    assert [it["halving"] for it in every["runs"]] == [it["halving"] for it in named["runs"]]
    halved.orch("status", *words)
    told = output()
    assert "halving by loss, min: " in told
    assert "paused: place " in told


def test_misspelt_metric_is_told_before_anything_is_executed(
    grid: Grid, output: Callable[[], str]
) -> None:
    """By what a finished run reports; if the program has changed since, the metric may come."""
    assert grid.orch("run", "seed=20") == 0
    for command in ("plan", "run"):
        with pytest.raises(UsageError, match=r"has not reported 'losss'\. Did you mean 'loss'\?"):
            grid.orch(command, SEEDS[0], "--halving=losss:min:3")
    assert len(grid.experiment.run_ids()) == 1
    (grid.folder / "program.py").write_text(f"{PROGRAM}# changed\n")
    output()
    assert grid.orch("plan", SEEDS[0], "--halving=losss:min:3") == 0
    told = "halving: nothing reports the metric 'losss' so far. Did you mean 'loss'?"
    assert f"warning: {told}\n" in output()
    assert grid.orch("plan", SEEDS[0], HALVING) == 0
    assert "Did you mean" not in output()


@pytest.mark.parametrize(
    ("option", "what"), [(HALVING, "halving"), ("--order=breadth:2", "the order breadth")]
)
def test_iteration_to_pause_after_that_the_environment_names_is_refused(
    grid: Grid, monkeypatch: pytest.MonkeyPatch, option: str, what: str
) -> None:
    """It would reach the runs in their last section, for which none is set, and they would not end."""
    monkeypatch.setenv("ORCH_STOP_AFTER", "3")
    with pytest.raises(UsageError) as refusal:
        grid.orch("run", *SEEDS, option)
    assert str(refusal.value) == (
        f"ORCH_STOP_AFTER is 3 in the environment: with {what}, each run is told another iteration to pause"
        f" after. Unset ORCH_STOP_AFTER, or execute the runs without {what}."
    )
    assert not any(grid.experiment.run_ids())
    assert grid.orch("run", *SEEDS) == 3
    monkeypatch.delenv("ORCH_STOP_AFTER")
    assert grid.orch("run", *SEEDS, option) == 0
