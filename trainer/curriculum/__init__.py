"""Curricula: which training samples a pass takes; how hard a sample is, and how fast the hard ones come."""
