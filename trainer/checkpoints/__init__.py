"""Checkpoints: the state of a training, its copies in memory, and its files."""
