"""The configuration of a run is read in three forms."""

from omegaconf import OmegaConf

from trainer.run_config import Configured

GIVEN = {"seed": 3, "iterations": 2, "twice": "${seed}"}


def test_configuration_is_plain_and_read() -> None:
    run = Configured(OmegaConf.create(GIVEN))
    assert run.config["twice"] == run.settings.seed == 3


def test_configuration_of_omegaconf_is_handed_out_as_it_is() -> None:
    given = OmegaConf.create(GIVEN)
    assert Configured(given).cfg is given


def test_plain_configuration_becomes_one_of_omegaconf() -> None:
    assert Configured({"seed": 3, "iterations": 2}).cfg.seed == 3
