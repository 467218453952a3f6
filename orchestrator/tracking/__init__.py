"""Tracking: one reporter process an experiment sends what the runs wrote to MLflow.

Nothing in a training waits for it, and nothing is lost if it dies: it reads files, remembers beside
each run what has arrived, and sends again what is in doubt with the same timestamps.
"""
