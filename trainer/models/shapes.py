"""The shapes of samples that models require."""

from collections.abc import Sequence

from trainer.errors import ConfigError


def channels_of(input_shape: Sequence[int], model: str) -> int:
    """Return the channels of images (channels, height, width).

    Raises:
        ConfigError: If the samples are not images.
    """
    if len(input_shape) != len(("channels", "height", "width")):
        raise ConfigError(
            f"model: {model} takes images (channels, height, width), not samples of shape "
            f"{[*input_shape]}. Choose another model, or correct data.input_shape."
        )
    return input_shape[0]
