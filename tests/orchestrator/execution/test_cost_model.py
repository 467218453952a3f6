"""What a run costs, learned from others."""

from math import exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.execution.cost_model import CostModel, Expected, find_counted_axis, marks_of


def model(costs: dict[tuple[object, ...], float], *axes: str, counted: str = "") -> CostModel:
    """Fit a model to the costs of runs, by their values on the axes."""
    samples = [
        (marks_of(dict(zip(axes, values, strict=True))), cost)  # type: ignore[arg-type] # plain
        for values, cost in costs.items()
    ]
    return CostModel(samples, counted)


def expect(fitted: CostModel, **point: object) -> Expected:
    return fitted.expect(marks_of(point))  # type: ignore[arg-type] # plain values


def test_seed_is_left_out() -> None:
    """Each run has another one, so that none would be like another."""
    assert marks_of({"model": "mlp", "seed": 3, "data.seed": 1}) == (("model", "'mlp'"),)


def test_combination_that_is_known_costs_what_it_did() -> None:
    """Even if its factors alone would tell something else."""
    fitted = model({("a", 1): 1.0, ("a", 2): 2.0, ("b", 1): 1.0, ("b", 2): 90.0}, "model", "width")
    assert expect(fitted, model="b", width=2).cost == pytest.approx(90, rel=0.1)
    assert expect(fitted, model="a", width=1).cost == pytest.approx(1, rel=0.2)


def test_combination_of_known_values_is_their_product() -> None:
    """With a doubt, which the other combinations do not have."""
    costs = {("a", 1): 1.0, ("a", 2): 3.0, ("b", 1): 10.0}
    fitted = model(costs, "model", "width")
    new = expect(fitted, model="b", width=2)
    assert new.cost == pytest.approx(30, rel=0.3)
    assert new.doubt > expect(fitted, model="b", width=1).doubt
    assert new.unknown == ()


def test_value_that_no_run_has_had_is_unknown_where_it_may_matter() -> None:
    """A model of another kind may take any time."""
    fitted = model({("a",): 1.0, ("b",): 9.0}, "model")
    assert expect(fitted, model="c").unknown == (("model", "'c'"),)
    assert expect(model({("a",): 1.0}, "model"), model="c").unknown


def test_value_that_no_run_has_had_is_like_others_where_they_are_alike() -> None:
    """The learning rates so far have not mattered."""
    costs = {(lr, seed): 5.0 for lr in ("low", "high") for seed in range(3)}
    told = expect(model(costs, "lr", "seed"), lr="middle", seed=9)
    assert (told.unknown, told.cost) == ((), pytest.approx(5))


@pytest.mark.parametrize(("epochs", "cost"), [(200, 20), (1000, 100), (30, 3)])
def test_cost_grows_with_a_number_as_it_did(epochs: int, cost: float) -> None:
    """Two numbers tell how; a third one, and one between them, follow."""
    fitted = model({(10,): 1.0, (100,): 10.0}, "epochs")
    assert expect(fitted, epochs=epochs).cost == pytest.approx(cost, rel=0.15)


def test_cost_is_proportional_to_the_number_of_iterations() -> None:
    """Which must be known to be one: of any other number that all runs share nothing is known."""
    fitted = model({(10,): 5.0}, "epochs", counted="epochs")
    assert expect(fitted, epochs=40).cost == pytest.approx(20)
    assert expect(fitted, epochs=40).doubt > expect(fitted, epochs=20).doubt
    assert expect(model({(10,): 5.0}, "epochs"), epochs=40).unknown == (("epochs", "40"),)


def test_number_of_iterations_matters_even_if_few_of_them_do_not_show_it() -> None:
    """Runs that end in their start say little about long ones: that is doubted, not denied."""
    costs = {(count, seed): 2.0 for count in (3, 5) for seed in range(3)}
    told = expect(model(costs, "epochs", "seed", counted="epochs"), epochs=500, seed=0)
    assert told.cost > 4
    assert told.cost * exp(2 * told.doubt) > 50


def test_machine_may_have_been_busier_for_one_number_of_iterations_than_for_another() -> None:
    """However many runs there are of each, and however alike these are."""
    costs = {(count, seed): 1.0 + count for count in (2, 4) for seed in range(100)}
    told = expect(model(costs, "epochs", "seed", counted="epochs"), epochs=80, seed=0)
    busier = {point: cost * (0.9 if point[0] == 2 else 1.1) for point, cost in costs.items()}
    other = expect(model(busier, "epochs", "seed", counted="epochs"), epochs=80, seed=0)
    assert abs(log(other.cost / 81)) < 2 * other.doubt
    assert abs(log(told.cost / 81)) < 2 * told.doubt


def test_doubts_about_two_new_values_add_up() -> None:
    """The same runs mislead about both."""
    costs = {(count, width): 1.0 * count * width for count in (10, 20) for width in (1, 2)}
    fitted = model(costs, "epochs", "width", counted="epochs")
    epochs, width, both = (
        expect(fitted, epochs=count, width=size).doubt
        for count, size in ((80, 1), (10, 8), (80, 8))
    )
    assert both > (epochs**2 + width**2) ** 0.5


def test_noise_is_that_between_runs_that_differ_in_the_seed() -> None:
    """Not what lies between the models."""
    costs = {("a", seed): cost for seed, cost in enumerate((9.0, 10.0, 11.0, 10.0))}
    costs |= {("b", seed): 100 * cost for (_, seed), cost in costs.items()}
    fitted = model(costs, "model", "seed")
    assert fitted.noise < log(1.25)
    assert fitted.freedom == 9


def test_axis_with_the_number_of_iterations_is_found() -> None:
    """By what all runs report; another axis may have the same value in some of them."""
    runs = [
        (marks_of({"width": 10, "epochs": 10}), 10),
        (marks_of({"width": 10, "epochs": 20}), 20),
    ]
    assert find_counted_axis(runs) == "epochs"
    assert find_counted_axis([(marks_of({"epochs": 10.0}), 10)]) == "epochs"
    assert find_counted_axis([(marks_of({"epochs": "10"}), 10)]) == ""
    assert find_counted_axis([]) == ""


VALUES = st.one_of(st.none(), st.booleans(), st.floats(), st.text(max_size=3), st.integers())


@given(
    st.lists(st.tuples(VALUES, VALUES, st.floats(0, 1e12)), min_size=1, max_size=8), VALUES, VALUES
)
def test_any_values_are_taken(samples: list[tuple[object, ...]], x: object, y: object) -> None:
    """Whatever they are, the cost is positive and finite."""
    fitted = model({(one, other): float(cost) for one, other, cost in samples}, "x", "y")  # type: ignore[arg-type]
    told = expect(fitted, x=x, y=y)
    assert 0 < told.cost < float("inf")
    assert 0 <= told.doubt < float("inf")
