"""One attempt and every process of it: its lock, program, output, limits and end.

Runs in the runner, in the process that forks runners, and in the program itself until the user's
code starts. Imports neither Hydra nor anything that draws: a fork stays small.
"""
