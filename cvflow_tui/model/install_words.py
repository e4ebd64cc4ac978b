"""What is to be installed, as a person types it; `install_line.read_line` reads it again."""

from __future__ import annotations

import shlex

from cvflow_tui.model.mending import Mend
from cvflow_tui.model.packages import InstallRequest


def write_line(request: InstallRequest, mend: Mend | None = None) -> str:
    """A request, and what may mend it, as a person types them behind `cvflow install`."""
    words = [shlex.quote(request.source)]
    flags = (
        ("editable", request.editable),
        ("locked", request.locked),
        ("reinstall", request.again),
        ("strict", request.strict),
        ("discard", request.discard),
    )
    words += [f"--{name}" for name, is_set in (*flags, ("offline", request.offline)) if is_set]
    words += [f"--allow-script {digest}" for digest in request.scripts]
    words += [f"--weights {shlex.quote(each)}" for each in request.weights]
    given = Mend(request.requirements, (), request.allow_build, request.python, request.relax, request.accept_weights)
    if mend is not None:
        # There is one Python only: the one that may help.
        given = Mend(python=mend.python) + given + mend
    return " ".join([*words, *([given.words] if given.words else [])])
