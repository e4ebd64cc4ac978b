"""What packages of the second generation (2020-2022) import: their `mlpm`, served by cvflow.

Written anew and for the worker: it never opens a port and never touches the network.
"""

__version__ = "1.4.1.1"
