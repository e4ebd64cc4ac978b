"""What packages of the first generation (2018-2020) import: their `cvpm`, served by cvflow.

Written anew and for the worker: it never opens a port and never touches the network. Nothing heavy is imported before it is used.
"""
