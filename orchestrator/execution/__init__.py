"""Carries a plan out: which run, in which slot, what after a failure, and when to stop.

Runs in ``orch``. Decides on values; launchers, run directories and the board do the rest.
"""
