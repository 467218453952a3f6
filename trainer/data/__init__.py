"""Data modules: one data set a file, each exposing `train`, `validation` and `test`."""
