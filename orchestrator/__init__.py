"""The program behind ``orch``: expands a grid, plans its runs, and executes them.

It shares only the run directory and a few environment variables with ``trainer``.
"""
