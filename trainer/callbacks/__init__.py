"""Callbacks: the methods of modules that are called at the events of a training."""
