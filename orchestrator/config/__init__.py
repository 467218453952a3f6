"""Configs from Hydra: the experiment, the configs of points, settings and secrets.

Runs in ``orch``. The only package that imports Hydra.
"""
