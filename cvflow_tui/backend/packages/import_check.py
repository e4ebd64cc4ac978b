"""Whether a solver's class can be imported where it will run: found out at the installation, not at the first start."""

from __future__ import annotations

import re
from pathlib import Path

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.forgotten import mend
from cvflow_tui.backend.packages.own_code import import_environment, run_own_code
from cvflow_tui.backend.packages.package import Package
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.packages import InstallRequest
from cvflow_tui.model.text import one_line

SDK = Path(__file__).resolve().parents[2] / "solvers" / "sdk"
"""What a worker finds first on its path."""

SECONDS = 300.0
"""How long an import may take: the large frameworks need half a minute on a cold disk."""

_DONE = 99
"""Exit status of the check once everything was imported: a package's code may end Python too, with 0 or whatever it likes."""

_FAILED = 100
"""Exit status of the check for the first solver that failed; the next solver's is one more."""

_CODE = """\
import sys
del sys.path[0]  # the folder it runs in: Python 3.9 and 3.10 know no -P
import importlib, importlib.machinery, os, traceback
done, failed, keep, sdk, root, *paths = sys.argv[1:]
# What Python compiles of an environment stays in it: no start does that again (workers run with -B). Elsewhere nothing is written.
sys.dont_write_bytecode, write = not keep, importlib.machinery.SourceFileLoader.set_data
def set_data(self, path, data, **more):
    if path.startswith(sys.prefix + "/"):
        write(self, path, data, **more)
importlib.machinery.SourceFileLoader.set_data = set_data
def warm():  # what the sdk opens pictures with, at a worker's first one, and packages rarely import themselves
    try:
        import PIL.Image
        PIL.Image.preinit()
    finally:
        os._exit(0)
beside = os.fork() if keep and hasattr(os, "fork") else None
if beside == 0:
    warm()
sys.path[:0] = [sdk, root]
sys.path.append(sdk + "/fallback")
for number, path in enumerate(paths):
    *module, name = path.split("/")
    try:
        if not isinstance(getattr(importlib.import_module(".".join(module)), name, None), type):
            raise ImportError("%s has no class %s" % ("/".join(module) + ".py", name))
    except BaseException:
        sys.stdout.flush()
        traceback.print_exc()
        sys.stderr.flush()
        sys.exit(int(failed) + min(number, 99))
if beside:
    os.waitpid(beside, 0)
for stream in (sys.stdout, sys.stderr):
    try:
        stream.flush()
    except (OSError, ValueError, AttributeError):
        pass
os._exit(int(done))  # at once: no thread that an import began is waited for, no framework taken apart
"""


_FILE = re.compile(r'^  File "([^"\n]+)", line (\d+)', re.MULTILINE)
"""A line of a traceback."""

_HOPELESS = ("ModuleNotFoundError", "ImportError", "SyntaxError", "IndentationError", "TabError")


def imports_never(error: PackageError) -> bool:
    """Whether what an import failed of is in the code or the environment; else it may have been a file that was not there yet."""
    lines = [line for line in (error.detail or "").splitlines() if line.strip()]
    return bool(lines) and lines[-1].startswith(_HOPELESS)


def check_imports(
    package: Package, python: Path, progress: Progress, seconds: float = SECONDS, request: InstallRequest | None = None, *, work: Path
) -> None:
    """Import every solver's class with the package's own interpreter, in one process that is as confined as a worker.

    `request` is what the user typed, `work` the folder of the install or check. Raises PackageError with the traceback's last line and,
    where something is known, the command that mends it; its `detail` is the whole traceback.
    """
    progress.step("checking that it imports")
    paths = [solver.class_path for solver in package.solvers]
    keep = "keep" if package.environment == "venv" else ""  # the app's own Python is not ours to write into
    command = [str(python), "-B", "-c", _CODE, str(_DONE), str(_FAILED), keep, str(SDK), str(package.root), *paths]
    status, output = run_own_code(command, work=work, progress=progress, seconds=seconds, cwd=package.root, env=import_environment())
    if status == _DONE:
        return
    if status is None:
        raise PackageError(f"{package.ref}: its classes were still being imported after {seconds:.0f} s", detail=output)
    index = status - _FAILED
    failed = package.solvers[index] if 0 <= index < len(package.solvers) else None
    who = f"{package.ref}: solver {failed.name!r} (class {failed.class_path})" if failed else f"{package.ref}: its solvers"
    lines = [line for line in output.splitlines() if line.strip()]
    if failed and lines:
        known = mend(output, package.root, paths, python, SDK, progress, request, work)
        told, option = known or ("", None)
        message = f"{who} cannot be imported: {one_line(lines[-1], 300)}" + (f"; {told}" if told else _place(output, package.root))
        raise PackageError(message, detail=output, mends=[option] if option else ())
    raise PackageError(f"{who} cannot be imported: Python ended with status {status}", detail=output)


def _place(output: str, root: Path) -> str:
    """` (a/solver.py, line 3)`: the last place in a traceback that is the package's own; nothing where none is."""
    own = [found for found in _FILE.finditer(output) if found[1].startswith(f"{root}/")]
    return f" ({one_line(own[-1][1].removeprefix(f'{root}/'), 80)}, line {own[-1][2]})" if own else ""
