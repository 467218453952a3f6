"""What Hydra says: experiments, the configs of points, settings and secrets.

Runs in ``orch``. The only room that knows Hydra.
"""
