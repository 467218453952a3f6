"""Tracking: one reporter process per experiment sends the output of runs to MLflow.

No training waits for it, and nothing is lost if it dies: it reads files, records beside each run what
has arrived, and sends again whatever may not have arrived, with the same timestamps.
"""
