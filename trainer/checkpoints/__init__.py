"""What must survive of a training, how it is copied, and how it comes to disk whole."""
