"""Loads what every run of a Hydra app loads, its plugins included, when it is imported."""

import hydra._internal.hydra
import hydra._internal.utils
import hydra.core.override_parser.overrides_parser  # noqa: F401 # Hydra imports it late, and it is large
from hydra.core.plugins import Plugins

Plugins.instance()
