"""`PYTHON -B SDK/cvflow_worker --fd N [--nice N]`: serve one solver over an inherited socket until that socket closes."""

import importlib
import pathlib
import sys

# Python put this folder itself first on the path; its modules must not shadow a package's own, so the sdk takes its place.
sys.path[0] = str(pathlib.Path(__file__).resolve().parent.parent)

if __name__ == "__main__":
    sys.exit(importlib.import_module("cvflow_worker.serve").main(sys.argv[1:]))
