"""`cvflow check`: what a package's author should know before somebody else installs it."""

from cvflow_tui.backend.packages.check.checker import Checker

__all__ = ["Checker"]
