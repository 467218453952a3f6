"""Whatever fails in the user's code, wherever it is called: the run says where, and is never done.

Each place is tried with several ways to fail, and in the soak with all. A run ends with one line or with a traceback that leads to
the user's line, never with results, and in a class of failures that is retried only if that may help.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from failing import DEEDS

from orchestrator.runner.failure_classes import Traces, classify
from trainer.impossible_memory import never_lends

if TYPE_CHECKING:
    from run_files import End, EndsOf, MakeRun

WORKERS = {"num_workers": 1}
COLLATE = {"collate_fn": {"_target_": "failing.collate", "_partial_": True}}
MODULES = (
    *("model.__init__", "model.forward", "model.forward in evaluation", "model.state_dict"),
    *("criterion.__init__", "criterion.forward"),
    *("optimizer.__init__", "optimizer.zero_grad", "optimizer.step"),
    *("optimizer.state_dict", "scheduler.__init__", "scheduler.step", "scheduler.get_lr"),
    *("metric.__init__", "metric.reset", "metric.update", "metric.compute"),
    *("curriculum.__init__", "curriculum.state_dict", "cb_on_train_begin"),
    *("cb_on_train_end", "cb_on_iteration_begin", "cb_on_iteration_end"),
    *("cb_on_evaluation_begin", "cb_on_evaluation_end", "cb_on_loader_exhausted"),
    *("cb_on_step_begin", "cb_on_step_end"),
)
PLACES: dict[str, dict[str, Any]] = {
    "data.__init__": {},
    "data.train": {},
    "data.__len__": {},
    "data.__getitem__": {},
    "data.__getitem__ in a worker": {"dataloader": WORKERS},
    "data.validation.__getitem__": {},
    "collate_fn": {"dataloader": COLLATE},
    "collate_fn in a worker": {"dataloader": WORKERS | COLLATE},
    "worker_init_fn": {
        "dataloader": {
            **WORKERS,
            "worker_init_fn": {"_target_": "failing.begin_worker", "_partial_": True},
        }
    },
    "sampler.__init__": {"dataloader": {"sampler": {"_target_": "failing.Order"}}},
    "sampler.__iter__": {"dataloader": {"sampler": {"_target_": "failing.Order"}}},
    **{place: {} for place in MODULES},
    "stream.set_epoch": {},
    "stream.__iter__": {},
    "stream, between two samples": {},
    "stream, in a worker": {"dataloader": WORKERS},
    "cb_on_update": {"model": {"_target_": "failing.Updating"}},
    "cb_on_update, after backward": {
        "model": {"_target_": "failing.Updating"},
        "checkpoint": {"metric": "validation/loss", "within_iteration": 1},
    },
}
EVERYWHERE = ("StopIteration", "TypeError", "exit 0")
OTHERS = [deed for deed in DEEDS if deed not in EVERYWHERE]
TURNS = 1
CLASSES = {"MemoryError": "out-of-memory", "OSError": "disk-full"}
# Where the system may refuse less than all memory, or a worker does not tell how it came to an error.
MAY_PASS = {"too much memory": "out-of-memory"}


def deeds_at(place: str) -> list[str]:
    """Return the ways to fail that are tried at a place: some everywhere, the others in turn."""
    number = [*PLACES].index(place)
    others = [OTHERS[(number * TURNS + turn) % len(OTHERS)] for turn in range(TURNS)]
    return [*EVERYWHERE, *others]


def test_there_are_many_cases_and_each_way_to_fail_is_tried_at_many_places() -> None:
    """The tables are as large as they should be."""
    tried = [deed for place in PLACES for deed in deeds_at(place)]
    assert len(tried) > 150
    assert min(map(tried.count, DEEDS)) >= 2


def fault_of(end: End, place: str, deed: str) -> str:
    """Return what is wrong with the end of a run; nothing if it ended as it should."""
    code, said, has_results = end
    if has_results:
        return "it has results"
    if deed == "exit at once":  # nothing can be told then; `orch` knows it by the missing results
        return "" if code == (1 if "worker" in place else 0) else f"exit code {code}"
    if code == 2:
        return "" if end.is_line else f"not one line: {said}"
    if code != 1 or 'failing.py", line' not in said:
        return f"exit code {code}, no traceback that leads to the user's code: {said[-1500:]}"
    kind = classify(code, Traces(said[-4000:])).kind
    classes = CLASSES | (MAY_PASS if "worker" in place or not never_lends() else {})
    return "" if kind == classes.get(deed, "error") else f"it is in the class {kind}: {said[-300:]}"


@pytest.mark.parametrize("place", PLACES)
def test_failure_says_where_and_leaves_no_results(
    make_run: MakeRun, ends_of: EndsOf, place: str
) -> None:
    """In all the ways that are tried at this place."""
    check(make_run, ends_of, place, deeds_at(place))


@pytest.mark.soak
@pytest.mark.parametrize("place", PLACES)
def test_any_failure_says_where_and_leaves_no_results(
    make_run: MakeRun, ends_of: EndsOf, place: str
) -> None:
    """In all ways, at every place."""
    check(make_run, ends_of, place, [*DEEDS])


def check(make_run: MakeRun, ends_of: EndsOf, place: str, deeds: list[str]) -> None:
    """Fail at a place in some ways, and look at how the runs end."""
    run_dirs = {}
    for number, deed in enumerate(deeds):
        modules = {
            role: {"_target_": f"failing.{name}"}
            for role, name in (
                *(("model", "Model"), ("criterion", "Loss"), ("optimizer", "Optimizer")),
                *(("scheduler", "Scheduler"), ("curriculum", "Curriculum")),
            )
        }
        run_dirs[deed] = make_run(
            f"{number}",
            iterations=1,
            data={"_target_": "failing.Data", "where": place, "deed": deed},
            metrics={"own": {"_target_": "failing.Metric"}},
            **{"checkpoint": {"metric": "validation/loss"}, **modules, **PLACES[place]},
        )
    faults = {deed: fault_of(end, place, deed) for deed, end in ends_of(run_dirs).items()}
    assert {deed: fault for deed, fault in faults.items() if fault} == {}
