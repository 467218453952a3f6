"""Callbacks for training frameworks; each module imports its framework, and ``orch`` imports none."""
