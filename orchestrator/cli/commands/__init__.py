"""The commands of ``orch``, one per module; each returns the exit code."""
