"""What an environment is asked for: by the package's author, by the user, and by what the user asked for last time."""

from __future__ import annotations

from pathlib import Path

from packaging.utils import canonicalize_name

from cvflow_tui.backend.packages.lock import LOCK, read_wishes
from cvflow_tui.backend.packages.package import Package
from cvflow_tui.backend.packages.requirements import check_added, merged
from cvflow_tui.backend.packages.resolution import Wish
from cvflow_tui.model.circumstances import Circumstances
from cvflow_tui.model.packages import InstallRequest


def wish_of(
    package: Package, request: InstallRequest, caller: Circumstances, installed: Path | None = None, locked: Path | None = None
) -> Wish:
    """The wish of a request.

    `installed` is the folder of the version that is there: what was added to that one stays added, and builds that
    were allowed are, as long as they are the same. `locked` is a
    lock to follow, which may be a stranger's: what it says was added is, and nothing is allowed because it says so.
    Raises UsageError for an addition that is no requirement.
    """
    here = read_wishes(installed / LOCK) if installed is not None else Wish()
    before = here if locked is None else read_wishes(locked)
    builds = dict.fromkeys(canonicalize_name(name) for name in request.allow_build)
    return Wish(
        requirements=package.requirements,
        python=package.manifest.package.python,
        added=merged(before.added, check_added(request.requirements)),
        interpreter=request.python or here.interpreter,
        relax=request.relax or before.relax,
        allow_build=tuple(builds),
        builds=here.builds,
        locked=locked,
        caller=caller,
    )
