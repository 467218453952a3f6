"""Data modules: one kind of data set per file, each with `train`, `validation` and `test`."""
