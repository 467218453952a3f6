"""The errors a user can mend: ``orch`` prints each as one message and exits with code 2."""


class OrchestratorError(Exception):
    """Tell the user what is wrong, where, and what to do next."""


class UsageError(OrchestratorError):
    """The command line does not say anything that ``orch`` can do."""


class ConfigError(OrchestratorError):
    """The config cannot be read, composed or resolved."""


class GridError(OrchestratorError):
    """An axis of the grid cannot be expanded."""


class FilterError(OrchestratorError):
    """A filter cannot be parsed, or compares what has no order."""


class IdentityError(OrchestratorError):
    """A config has a value without a stable form, so the run would have no stable ID."""


class RunDirectoryError(OrchestratorError):
    """A run directory, or a folder above it, is not what it has to be."""


class PreloadError(OrchestratorError):
    """A module that every run needs cannot be imported; the message ends with the traceback."""
