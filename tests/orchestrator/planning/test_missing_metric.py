"""A metric that is not reported is told with the nearest name, or those that there are."""

from __future__ import annotations

from orchestrator.planning.missing_metric import describe_choice


def test_nearest_name_is_told_first() -> None:
    names = ["train/loss", "validation/loss"]
    told = describe_choice("val/loss", names)
    assert told == "Did you mean 'validation/loss'? They report train/loss, validation/loss."
    assert describe_choice("acc", names) == "Choose one of train/loss, validation/loss."
    assert describe_choice("acc", names, "x").endswith("validation/loss, or x.")


def test_many_names_are_cut_and_none_are_told() -> None:
    names = [f"x{at}" for at in range(99)]
    assert describe_choice("acc", names).endswith("x18, x19, ....")
    assert describe_choice("acc", []) == "They report none. Let the program log it."
    assert (
        describe_choice("acc", [], "x") == "They report none. Let the program log it, or choose x."
    )
