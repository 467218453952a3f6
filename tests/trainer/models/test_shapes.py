"""Models of images refuse other samples in one line."""

import pytest

from trainer.errors import ConfigError
from trainer.models.cnn10 import Cnn10
from trainer.models.resnet import ResNet


@pytest.mark.parametrize("model", [Cnn10, ResNet])
def test_model_of_images_refuses_other_samples(model: type[Cnn10 | ResNet]) -> None:
    """The line says what the model takes."""
    with pytest.raises(ConfigError, match=r"^model: .* takes images .* of shape \[6\]"):
        model([6], classes=2)
