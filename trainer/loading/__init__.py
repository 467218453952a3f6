"""How samples become batches: their order, their randomness, and what makes them."""
