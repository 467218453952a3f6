"""Data loading: the order of samples, their randomness, and the loaders of batches."""
