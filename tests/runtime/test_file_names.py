"""Two solvers share no file and no mark, whatever dots their names have; logs of older versions are found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from cvflow_tui.backend.runtime.marks import bearers
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.backend.runtime.worker import RUN_MARK
from cvflow_tui.backend.store import open_state
from cvflow_tui.home import Home
from cvflow_tui.model.file_names import file_stem
from cvflow_tui.model.names import NAME
from tests.runtime.helpers import Client, Site

PART = st.one_of(st.text("a.-_", min_size=1, max_size=6), st.from_regex(NAME, fullmatch=True), st.text("ab.", min_size=59, max_size=100))
NAMES = st.tuples(PART, PART, PART).map("/".join)
ANYTHING = st.text("a/.+%~@\\\0é ", max_size=12)
LONG = "a" * 100


@given(st.one_of(NAMES, ANYTHING), st.one_of(NAMES, ANYTHING))
@example("acme.x/y/s", "acme/x.y/s")
@example("a/b", "a+b")
@example(f"{LONG}/x/y", f"{LONG[:-1]}b/x/y")
@example("a~b/x/y", "a%7Eb/x/y")
def test_two_names_never_make_one_file_name(one: str, other: str) -> None:
    assert (file_stem(one) == file_stem(other)) == (one == other)


@given(NAMES, NAMES)
def test_a_name_makes_one_file_of_its_folder_and_no_installation_log_is_a_solvers(name: str, other: str) -> None:
    home = Home(Path("/home"))
    files = [home.solver_log(name), home.specification(name), home.install_log(other.rpartition("/")[0])]
    assert len(set(files)) == 3 and all(len(file.relative_to(home.root).parts) == 2 for file in files)
    assert all(len(f"{file.name}.5.times") < 256 and "\0" not in file.name for file in files)
    assert not home.solver_log(name).name.startswith(("daemon.", "install@"))


def test_dots_at_other_places_share_nothing(site: Site, spec_of: Callable[..., RunSpec], picture: bytes) -> None:
    specs = [spec_of("Chatty", package=package, solver="s") for package in ("acme.x/y", "acme/x.y")]
    clients: list[Client] = [site.start(spec) for spec in specs]
    clients[0].infer(picture)
    assert ["asked" in site.supervisor.log(spec.name).text for spec in specs] == [True, False]
    assert len(list(site.home.runs.glob("*.json"))) == len(list(site.home.logs.glob("*.log"))) == 2
    assert all(len(bearers(RUN_MARK, str(site.home.specification(spec.name)))) == 2 for spec in specs), "a runner and its worker"
    site.supervisor.stop(specs[1].name)
    assert clients[0].infer(picture).status == 200
    assert site.supervisor.solvers()[0].name == specs[0].name


def test_a_log_of_an_older_version_is_moved_with_all_that_is_beside_it(site: Site, spec_of: Callable[..., RunSpec]) -> None:
    for suffix in (".log", ".log.times", ".log.1", ".log.1.times"):
        (site.home.logs / f"tests.demo.echo{suffix}").write_text(f"old{suffix}\n")
    (site.home.logs / "tests.demo.echo.log.1.bak").write_text("somebody's own\n")
    assert site.supervisor.log("tests/demo/echo").text == "old.log\n"
    assert sorted(path.name for path in site.home.logs.iterdir()) == [
        *(f"tests+demo+echo{suffix}" for suffix in (".log", ".log.1", ".log.1.times", ".log.times")),
        "tests.demo.echo.log.1.bak",
    ]
    site.start(spec_of("Echo"))
    assert site.supervisor.log("tests/demo/echo").text.startswith("old.log\n")


def test_an_old_log_that_may_be_anothers_is_left_alone(site: Site) -> None:
    for name in ("acme.x.y.s.log", "acme.x.install.log"):
        (site.home.logs / name).write_text("whose?\n")
    assert [site.supervisor.log(name).text for name in ("acme.x/y/s", "acme/x.y/s", "acme/x/install")] == [""] * 3
    assert len(list(site.home.logs.iterdir())) == 2


def test_a_runner_of_an_older_version_goes_on_with_its_log(site: Site, spec_of: Callable[..., RunSpec], picture: bytes) -> None:
    """Such a one has its specification and its log under the old name; it is looked for there until it ends."""
    name = "tests/demo/chatty"
    client, new = site.start(spec_of("Chatty")), site.home.specification(name)
    old = new.rename(new.with_name("tests.demo.chatty.json"))
    site.home.solver_log(name).rename(site.home.logs / "tests.demo.chatty.log")
    with open_state(site.home).write() as connection:
        connection.execute("UPDATE runs SET spec = ?", (str(old),))
    client.infer(picture)
    assert "asked" in site.supervisor.log(name).text and not site.home.solver_log(name).exists()
    site.supervisor.stop(name)
    assert "asked" in site.supervisor.log(name).text and site.home.solver_log(name).exists()
