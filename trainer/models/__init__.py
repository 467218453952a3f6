"""Models: one architecture per file, each with parameters `input_shape` and `classes`."""
