"""Short keys tell the keys of a grid apart."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.grid.short_keys import short_keys


def test_keys_with_the_same_end_are_told_apart() -> None:
    keys = ["model.encoder.name", "model.decoder.name", "lr", "optimizer.lr", "x.y"]
    assert short_keys(keys) == {
        "model.encoder.name": "encoder.name",
        "model.decoder.name": "decoder.name",
        "lr": "lr",
        "optimizer.lr": "optimizer.lr",
        "x.y": "y",
    }


def test_what_keys_have_in_common_is_left_out() -> None:
    keys = ["m.encoder.block.dropout", "m.decoder.block.dropout"]
    assert list(short_keys(keys).values()) == ["encoder…dropout", "decoder…dropout"]


def test_nothing_is_left_out_that_tells_keys_apart() -> None:
    keys = ["a.x.z", "b.x.z", "a.y.z", "b.y.z"]
    assert list(short_keys(keys).values()) == keys


@given(
    st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=5).map(".".join), unique=True)
)
def test_no_two_keys_have_the_same_name(keys: list[str]) -> None:
    """And none is longer than its key."""
    names = short_keys(keys)
    assert list(names) == keys
    assert len(set(names.values())) == len(keys)
    assert all(len(name) <= len(key) for key, name in names.items())
