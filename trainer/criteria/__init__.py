"""Criteria: one loss a file, each mapping logits and targets to the mean loss of a batch."""
