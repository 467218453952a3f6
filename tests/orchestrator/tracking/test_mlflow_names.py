"""Names and texts reach MLflow in a form that it takes, and no two of them become one."""

import pytest
from mlflow.utils.validation import _validate_metric_name, _validate_param

from orchestrator.tracking.mlflow_names import metric_name, parameter_value, run_name, tag_value

STRANGE = [
    "",
    "/",
    "..",
    "a//b",
    "./a",
    "a/",
    "a?",
    "a!",
    "k" * 251,
    "k" * 252,
    "\ud800",
    "../../x",
]


@pytest.mark.parametrize("key", ["loss", "train/loss", "lr group: 1", "größe", "a.b-c_d"])
def test_good_name_stays(key: str) -> None:
    """Nobody has to look up what became of it."""
    assert metric_name(key) == key


@pytest.mark.parametrize("key", STRANGE)
def test_strange_name_becomes_one_that_mlflow_takes(key: str) -> None:
    """MLflow's own check passes it."""
    _validate_metric_name(metric_name(key))
    assert len(metric_name(key)) <= 250


def test_different_names_stay_different() -> None:
    """Also those that look alike afterwards."""
    assert len({metric_name(key) for key in STRANGE}) == len(STRANGE)


def test_long_texts_are_cut_visibly() -> None:
    """MLflow would cut them, or refuse them, without a word."""
    value = parameter_value("x" * 7000)
    assert value.endswith(" ... (cut; config.yaml has it whole)")
    _validate_param("key", value)
    assert len(value) == 6000
    assert parameter_value("x" * 6000) == "x" * 6000
    assert tag_value("x" * 9000).endswith("has it whole)")
    assert run_name("x" * 300).endswith(" ...")
    assert "\0" not in parameter_value("a\0b")


def test_text_that_is_not_utf8_is_escaped() -> None:
    """The name of a user, a folder or a file may have any bytes; MLflow refuses what it cannot encode."""
    for make in (parameter_value, tag_value, run_name):
        assert make(b"a\xff\n".decode(errors="surrogateescape")).encode().startswith(b"a\\")
