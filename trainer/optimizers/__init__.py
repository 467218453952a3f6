"""Optimizers that PyTorch does not have: one a file."""
