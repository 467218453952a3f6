"""Models: one architecture a file, each taking `input_shape` and `classes`."""
