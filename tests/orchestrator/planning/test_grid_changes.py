"""Tests of orchestrator.planning.grid_changes."""

from orchestrator.grid.axes import Axis, Point
from orchestrator.grid.config_values import Value
from orchestrator.grid.filter_parser import parse_condition
from orchestrator.planning.grid_changes import Change, EarlierRun, find_changes


def _resolve(point: Point) -> dict[str, object]:
    """Resolve as a config with a weight decay of 0.01 does."""
    name = point.values.get("model", "mlp")
    return {
        "model": {"name": name, "width": 8 if name == "mlp" else 32},
        "optimizer": {"lr": point.values.get("optimizer.lr", 0.1), "weight_decay": 0.01},
        "experiment_id": "now",
    }


def _former(name: str, lr: float, **overrides: object) -> EarlierRun:
    config = {
        "model": {"name": name, "width": 8 if name == "mlp" else 32},
        "optimizer": {"lr": lr, "weight_decay": 0},
        "experiment_id": "before",
    }
    return EarlierRun(overrides, config)  # type: ignore[arg-type]


def test_changed_default_is_found_in_all_runs() -> None:
    """Every former run is compared with the point that has its own values on the axes."""
    axes = [Axis("optimizer.lr", (0.1, 0.2))]
    former = [_former("mlp", lr, **{"optimizer.lr": lr}) for lr in (0.1, 0.2)]
    found = find_changes(18, former, [axes], _resolve)
    assert found.changes == (Change("optimizer.weight_decay", "0", "0.01", 2),)
    assert (found.former, found.compared, found.dropped) == (18, 2, 0)


def test_value_that_the_grid_no_longer_has_is_a_change() -> None:
    """The rest of the run is compared all the same."""
    axes = [Axis("optimizer.lr", (0.2, 0.3))]
    found = find_changes(1, [_former("mlp", 0.1, **{"optimizer.lr": 0.1})], [axes], _resolve)
    assert [(change.key, change.before) for change in found.changes] == [
        ("optimizer.lr", "0.1"),
        ("optimizer.weight_decay", "0"),
    ]


def test_axis_that_is_new_takes_the_value_that_fits_best() -> None:
    """A former run that never had the axis is not compared with just any point."""
    axes = [Axis("model", ("mlp", "cnn"))]
    found = find_changes(1, [_former("cnn", 0.1)], [axes], _resolve)
    assert [change.key for change in found.changes] == ["optimizer.weight_decay"]


def test_key_that_was_not_there_before_is_shown_as_nothing() -> None:
    """New keys and keys that are gone are changes, too."""
    former = EarlierRun({}, {"model": {}, "old": 1})
    found = find_changes(1, [former], [[]], lambda _: {"model": {"name": "a"}})
    assert {(c.key, c.before, c.now) for c in found.changes} == {
        ("model", "{}", "nothing"),
        ("model.name", "nothing", '"a"'),
        ("old", "1", "nothing"),
    }


def test_run_without_a_difference_is_one_that_is_kept_out() -> None:
    """Its point is still in the grid, so a filter or a setting drops it."""
    former = EarlierRun({}, {"device": "cpu", "a": 1})
    found = find_changes(1, [former], [[]], lambda _: {"device": "cuda", "a": 1.0}, ["device"])
    assert (found.dropped, found.changes) == (1, ())


def test_nearest_point_may_be_of_any_grid_and_leave_an_axis_unset() -> None:
    """A point that has no config is none of the grid."""
    when = parse_condition("a == 1")
    grids = [[Axis("z", (5,))], [Axis("a", (1, 2)), Axis("b", (3,), when=when)]]

    def resolve(point: Point) -> dict[str, Value] | None:
        return None if point.grid == 0 else {"a": 0, "b": 0, "c": 1, **point.values}

    former = EarlierRun({"a": 2}, {"a": 2, "b": 0, "c": 0})
    found = find_changes(1, [former], grids, resolve)
    assert found.changes == (Change("c", "0", "1", 1),)
    assert find_changes(1, [former], grids[:1], resolve).changes == ()
