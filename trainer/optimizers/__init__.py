"""Optimizers that PyTorch does not have: one per file."""
