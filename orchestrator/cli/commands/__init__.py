"""The commands of ``orch``, one a module; each returns the exit code."""
