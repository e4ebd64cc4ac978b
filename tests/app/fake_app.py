"""The app with a fake daemon, to be run on a real terminal: `python -m tests.app.fake_app [PLACE] [--running]`."""

from __future__ import annotations

import sys

from cvflow_tui.app import CvflowApp
from tests.app.fake_client import FakeClient


async def factory() -> FakeClient:
    """The default fake daemon, with two solvers where `--running` was given."""
    client = FakeClient()
    if "--running" in sys.argv:
        await client.start_solver("cvflow/nanodet/detect")
        await client.start_solver("cvflow/mobilenet/classify")
    return client


if __name__ == "__main__":
    places = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    app = CvflowApp(factory, *places)
    app.run()
    sys.exit(app.return_code or 0)
