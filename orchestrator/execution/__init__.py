"""Executes a plan: which run starts in which slot, what follows a failure, and when to stop.

Runs in the ``orch`` process. Decides on values; launchers, run directories and the board do the rest.
"""
