"""The process that holds a model. Runs in the package's own Python: standard library only, syntax of Python 3.9."""
