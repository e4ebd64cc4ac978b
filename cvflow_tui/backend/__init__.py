"""Everything behind the daemon's API, and its one client. Never imports textual."""

import sys
from types import ModuleType
from typing import cast

# httpx brings a command line of its own, and with it click, pygments and progress bars: 2.6 MB and a good part of a command's start,
# for nothing that is used here. Without that module httpx does without it, as where its `cli` extra is not installed. None is Python's own
# mark for a module that is not to be had (import system, "The module cache"); the type of `sys.modules` knows only modules.
cast(dict[str, ModuleType | None], sys.modules).setdefault("httpx._main", None)
