"""Whatever the user's code returns, the run is done with results, or says in one line what is wrong."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from returning import VALUES
from user_modules import run_program

if TYPE_CHECKING:
    from run_files import Launch, MakeRun

LOADING: dict[str, Any] = {
    "collate_fn": {"collate_fn": {"_target_": "returning.collate", "_partial_": True}},
    "sampler.__iter__": {"sampler": {"_target_": "returning.Order"}},
    "an index": {"sampler": {"_target_": "returning.Order"}},
}
PLACES = [
    *LOADING,
    *("data.train", "data.validation", "data.__len__", "data.__getitem__"),
    *("model.forward", "model.forward, training", "model.forward, evaluating"),
    *("criterion.forward", "criterion.forward, evaluating"),
    *("scheduler.get_lr", "a rate", "metric.compute", "curriculum.state_dict", "a state"),
    *("restrict", "a metric", "the name of a metric", "a result"),
]


TURNS = 2


def values_at(place: str) -> list[str]:
    """Return the values that are tried at a place: `None`, and some others in turn."""
    others = [what for what in VALUES if what != "None"]
    number = PLACES.index(place)
    return ["None", *(others[(number * TURNS + turn) % len(others)] for turn in range(TURNS))]


def test_there_are_many_cases_and_each_value_is_tried() -> None:
    """The tables are as large as they should be."""
    tried = [what for place in PLACES for what in values_at(place)]
    assert len(tried) > 60
    assert min(map(tried.count, VALUES)) >= 1


def run_each(run_dirs: list[str]) -> None:
    """Be `python -m trainer RUN_DIR` in a process for each run."""
    for run_dir in run_dirs:
        pid = os.fork()
        if pid == 0:
            code: Any = 1
            with suppress(BaseException):
                try:
                    run_program(run_dir)
                except SystemExit as ended:
                    code = ended.code
            os._exit(code if isinstance(code, int) else 1)
        ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        Path(run_dir, "code").write_text(json.dumps(ended))


def fault_of(run_dir: Path) -> str:
    """Return what is wrong with the end of a run; nothing if it ended as it should."""
    code = json.loads((run_dir / "code").read_text())
    said = (run_dir / "err.log").read_text()
    has_results = (run_dir / "results.json").exists()
    if has_results != (code == 0):
        return f"exit code {code}, results: {has_results}"
    is_line = said.count("\n") == 1 and len(said) > 20
    if code and not (is_line or (code == 1 and 'returning.py", line' in said)):
        return f"exit code {code}, neither one line nor a place in the user's code: {said[-1500:]}"
    return ""


@pytest.mark.parametrize("place", PLACES)
def test_wrong_value_is_one_line_or_does_no_harm(
    make_run: MakeRun, launch: Launch, place: str
) -> None:
    """Of several kinds, at this place."""
    check(make_run, launch, place, values_at(place))


@pytest.mark.soak
@pytest.mark.parametrize("place", PLACES)
def test_any_wrong_value_is_one_line_or_does_no_harm(
    make_run: MakeRun, launch: Launch, place: str
) -> None:
    """Of all kinds, at every place."""
    check(make_run, launch, place, [*VALUES])


def check(make_run: MakeRun, launch: Launch, place: str, values: list[str]) -> None:
    """Return each of some values at a place, and look at how the runs end."""
    modules = {
        role: {"_target_": f"returning.{name}"}
        for role, name in (
            *(("model", "Model"), ("criterion", "Loss")),
            *(("scheduler", "Scheduler"), ("curriculum", "Curriculum")),
        )
    }
    run_dirs = {
        what: make_run(
            f"{number}",
            iterations=2,
            data={"_target_": "returning.Data", "where": place, "what": what},
            metrics={"own": {"_target_": "returning.Metric"}, "accuracy": False},
            checkpoint={"metric": "validation/loss"},
            dataloader=LOADING.get(place, {}),
            **modules,
        )
        for number, what in enumerate(values)
    }
    process = launch(run_each, [*map(str, run_dirs.values())])
    process.join(300)
    assert process.exitcode == 0
    faults = {what: fault_of(run_dir) for what, run_dir in run_dirs.items()}
    assert {what: fault for what, fault in faults.items() if fault} == {}
