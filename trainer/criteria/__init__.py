"""Criteria: one loss per file, each mapping logits and targets to the mean loss of a batch."""
