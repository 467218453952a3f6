"""A config's text means the same to OmegaConf, whichever of the two has written it."""

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from orchestrator.rundir import config_yaml

SCALARS = ["1e-3", "1_000", "0x10", "yes", "null", "~", "2001-01-01", "1:30", "${a.b}", "a: b", "é"]
KEYS = st.text("abcdef_", min_size=1, max_size=6)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=12)
    | st.sampled_from(SCALARS),
    lambda value: st.lists(value, max_size=4) | st.dictionaries(KEYS, value, max_size=4),
    max_leaves=12,
)


@given(config=st.dictionaries(KEYS, VALUES, max_size=5))
def test_config_means_the_same_to_omegaconf(config: dict[str, object]) -> None:
    """Numbers, texts that look like others, and references, there and back."""
    try:
        known = OmegaConf.create(config)
    except OmegaConfBaseException:
        reject()
    written = config_yaml.write(config)
    assert config_yaml.read(written) == config
    assert OmegaConf.to_container(OmegaConf.create(written.decode())) == config
    text = OmegaConf.to_yaml(known)  # which loses some control characters
    assert config_yaml.read(text.encode()) == OmegaConf.to_container(OmegaConf.create(text))


def test_value_that_stands_in_two_places_is_written_twice() -> None:
    """No anchors: a parser of somebody else may not know them."""
    shared = [1, {"a": "b"}]
    written = config_yaml.write({"one": shared, "two": shared}).decode()
    assert written == OmegaConf.to_yaml(OmegaConf.create({"one": shared, "two": shared}))


BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)
HOSTILE = {
    "alias bomb": BOMB,
    "recursive": "a: &a {b: *a}",
    "recursive list": "a: &a [*a]",
    "strange anchor": "a: &-x [1]\nb: *-x",
    "brackets": "a: " + "[" * 3000 + "]" * 3000,
    "braces": "a: " + "{a: " * 3000 + "1" + "}" * 3000,
    "dashes": "a:\n  " + "- " * 3000 + "1",
    "indented": "".join(f"{' ' * depth}a:\n" for depth in range(600)),
    "time": "a: !!timestamp 2001-01-01",
    "no time": "a: !!timestamp 2001",
    "no day": "a: !!timestamp 2001-99-99",
    "no bool": "a: !!bool x",
    "no int": "a: !!int ''",
    "no float": "a: !!float x",
    "set": "a: !!set {x, y}",
    "no set": "a: !!set x",
    "pairs": "a: !!pairs [x: 1]",
    "omap": "a: !!omap [x: 1]",
    "bytes": "a: !!binary aGVsbG8=",
    "key": "? [1]\n: 2",
    "null key": "null: 2",
    "tag": "a: !something 1",
    "digits": f"a: {'9' * 9000}",
    "values": "a: [" + "1," * 400_000 + "]",
    "zeros": "\0" * 30,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_refused_in_no_time(text: str) -> None:
    """Nothing is unfolded, nothing nests without end, and there are plain values only."""
    with pytest.raises(ValueError, match=r"."):
        config_yaml.read(text.encode())


@pytest.mark.parametrize(
    "text", [b"a: [", b"a: 1\na: 2\n", b"\xff", b"a: !!python/object:os.abort {}"]
)
def test_text_that_is_no_config_is_refused(text: bytes) -> None:
    """Also keys that stand twice, and what would run code."""
    with pytest.raises(ValueError, match=r"."):
        config_yaml.read(text)
