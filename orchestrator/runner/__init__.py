"""Carries out one attempt: its lock, program, output, limits and end.

Runs in the runner, in the fork server, and in the program itself until the user's code starts.
Imports neither Hydra nor Rich, so that forks stay small.
"""
