"""Curricula: which training samples an epoch uses, by their difficulty and a pacing function."""
