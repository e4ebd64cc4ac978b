"""The name that `mlpm` had for a while: every module of it, under this one."""

import importlib
import sys

for _name in ("app", "logger", "metrics", "response", "server", "solver", "utility"):
    sys.modules[f"{__name__}.{_name}"] = importlib.import_module(f"mlpm.{_name}")
    globals()[_name] = sys.modules[f"{__name__}.{_name}"]
