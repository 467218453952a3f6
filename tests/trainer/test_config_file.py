"""A run's configuration is read from its file, and what it refers to is resolved."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from trainer.config_file import plain_config, read_config, written_config
from trainer.errors import ConfigError


def test_interpolations_are_resolved() -> None:
    """Modules see values, and a dead end is an error that names its key."""
    assert plain_config(OmegaConf.create({"a": 1, "b": "${a}"})) == {"a": 1, "b": 1}
    with pytest.raises(ConfigError, match=r"^a: Interpolation key 'c' not found"):
        plain_config(OmegaConf.create({"a": "${c}"}))
    with pytest.raises(ConfigError, match=r"^b: Missing mandatory value"):
        plain_config(OmegaConf.create({"b": "???"}))


def test_another_value_is_written_as_another_and_another_token_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a key refers to counts, what the environment holds does not."""
    written = []
    for lr, token in ((0.1, "a"), (0.1, "b"), (0.2, "b")):
        monkeypatch.setenv("TOKEN_OF_MINE", token)
        cfg = OmegaConf.create(
            {"lr": lr, "optimizer": {"lr": "${lr}"}, "data": {"token": "${oc.env:TOKEN_OF_MINE}"}}
        )
        written.append(written_config(cfg))
        assert plain_config(cfg)["data"] == {"token": token}
    assert written[0] == written[1]
    assert written[1]["optimizer"] != written[2]["optimizer"]


@pytest.mark.parametrize(
    "text", ['a: "${"', "null: 3", "a: &a [*a]", "- 1", "a: [", "a: !!timestamp 1", "a: !!bool x"]
)
def test_config_that_cannot_be_read_is_one_line(tmp_path: Path, text: str) -> None:
    """Whether YAML's parser or OmegaConf finds the fault."""
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        read_config(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
