"""The demo: a project on real photographs, and the whole path walked unattended."""

from cvflow_tui.demo.pictures import credit, photographs
from cvflow_tui.demo.project import PROJECT, ensure_project

__all__ = ["PROJECT", "credit", "ensure_project", "photographs"]
