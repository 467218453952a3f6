"""A config's text means the same to OmegaConf, whoever of the two has written it."""

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


@pytest.mark.parametrize(
    "text", [b"a: [", b"a: 1\na: 2\n", b"\xff", b"a: !!python/object:os.abort {}"]
)
def test_text_that_is_no_config_is_refused(text: bytes) -> None:
    """Also keys that stand twice, and what would run code."""
    with pytest.raises(ValueError, match=r"."):
        config_yaml.read(text)
