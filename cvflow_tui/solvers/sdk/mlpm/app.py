"""`aidserver`: the object on which runner files of the second generation hung their solver."""

from __future__ import annotations

from typing import Any, Callable


class AidServer:
    """Takes what is hung on it. Routes belong to cvflow's runner: one that a package declares is left out, and that is said."""

    solver: Any = None

    def route(self, path: str, **options: Any) -> Callable[[Any], Any]:
        """A decorator that leaves the function as it is."""
        print(f"the route {path} is not served: cvflow's runner serves the solver's own routes", flush=True)  # noqa: T201 - the log
        return lambda handler: handler

    def run(self, *arguments: Any, **options: Any) -> None:
        """Refuse: the port belongs to cvflow's runner. Raises RuntimeError that says how to serve."""
        raise RuntimeError("a solver does not open a port itself: serve it with 'cvflow start', or with the runner file that was installed")


aidserver = AidServer()
