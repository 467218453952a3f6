"""Trains one run: from the configuration in its run directory to its results, through any interruption."""
