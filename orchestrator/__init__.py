"""Expands a grid, decides what has to run, and runs it: the program behind ``orch``.

It shares nothing with ``trainer`` but the run directory and a few environment variables.
"""
