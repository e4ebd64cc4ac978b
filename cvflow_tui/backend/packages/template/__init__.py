"""`cvflow new`: a package to begin with, whose solver does something small and true."""

from cvflow_tui.backend.packages.template.create import create_package

__all__ = ["create_package"]
