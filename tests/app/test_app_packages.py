"""Packages: solvers start and stop with one key, packages go with a question."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from cvflow_tui.app import CvflowApp
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.packages import UpgradeRequest
from cvflow_tui.model.solvers import SolverState
from cvflow_tui.model.storage import DiskEntry, Pruning
from cvflow_tui.screens.dialogs import Choice
from cvflow_tui.screens.looking_place import LookingPlace
from cvflow_tui.screens.place import Place
from cvflow_tui.widgets.virtual_table import VirtualTable
from tests.app.conftest import SERVED, SIZES, OpenApp, screen_text, settle, shows, wait_until
from tests.app.fake_client import FakeClient, default_hub


def dialog_text(app: CvflowApp) -> str:
    """What stands in the dialog, without the screen around it."""
    at = app.screen.query_one(".dialog").region
    return "\n".join(line[at.x : at.right] for line in screen_text(app).splitlines()[at.y : at.bottom])


async def test_packages_with_their_solvers(open_app: OpenApp, client: FakeClient) -> None:
    for size in SIZES:
        async with open_app(client, "packages", size) as (app, _):
            text = screen_text(app)
            assert "▸cvflow/nanodet" in text
            assert "   detect" in text
            assert "○ stopped" in text
            assert "2 packages · no solvers running" in text


@pytest.mark.parametrize("columns", [80, 100, 110, 120, 130])
async def test_port_version_and_size_can_be_read_beside_the_details(open_app: OpenApp, client: FakeClient, columns: int) -> None:
    await client.start_solver("cvflow/nanodet/detect")
    async with open_app(client, "packages", (columns, 30)) as (app, pilot):
        await wait_until(pilot, lambda: "● ready" in screen_text(app))
        title, first, second, third = [line.partition("│")[0].split() for line in screen_text(app).splitlines()[1:5]]
        assert title[-1] == "size"
        assert first[:2] == ["▸cvflow/nanodet", "1.0.0"] and first[-2:] == ["3.7", "MB"]
        assert second == ["detect", "●", "ready", "port", "41000"]
        assert third[:2] == ["cvflow/mobilenet", "0.9.1"] and third[-2:] == ["14.2", "MB"]


async def test_one_key_starts_and_stops(open_app: OpenApp, client: FakeClient) -> None:
    async with open_app(client, "packages") as (app, pilot):
        await pilot.press("down", "s")
        await wait_until(pilot, lambda: "cvflow/nanodet/detect serves on port 41000" in screen_text(app))
        assert "● ready" in screen_text(app)
        client.change_solver("cvflow/nanodet/detect", partial(replace, rate=0.0))
        await wait_until(pilot, lambda: app.screen.query_one(VirtualTable).items[1].running.rate == 0)
        await pilot.press("enter")
        await wait_until(pilot, lambda: "cvflow/nanodet/detect stopped" in screen_text(app))
        assert "● ready" not in screen_text(app)
        # On the package itself: its only solver.
        await pilot.press("up", "s")
        await wait_until(pilot, lambda: "● ready" in screen_text(app))
        assert client.called("start_solver") == [("cvflow/nanodet/detect",)] * 2


async def test_a_package_with_several_solvers_asks_to_choose(open_app: OpenApp) -> None:
    hub = [replace(detail, summary=replace(detail.summary, installed="1")) for detail in default_hub()]
    client = FakeClient(hub)
    async with open_app(client, "packages") as (app, pilot):
        await pilot.press("down", "down", "s")
        await wait_until(pilot, lambda: "cvflow/face_utility has 3 solvers: move to one of them" in screen_text(app))
        assert not client.called("start_solver")


async def test_a_solver_that_does_not_start_says_why_in_one_line(open_app: OpenApp, client: FakeClient) -> None:
    client.fail["start_solver"] = PackageError("nanodet/solver/NanoDetSolver: [Errno 2] no weights", detail="Traceback …")
    async with open_app(client, "packages") as (app, pilot):
        await pilot.press("down", "s")
        await wait_until(pilot, lambda: "nanodet/solver/NanoDetSolver: [Errno 2] no weights" in screen_text(app))
        assert "Traceback" not in screen_text(app)


async def test_states_have_a_sign_and_a_word(open_app: OpenApp, client: FakeClient) -> None:
    name = "cvflow/nanodet/detect"
    await client.start_solver(name)
    async with open_app(client, "packages") as (app, pilot):
        for state, shown in ((SolverState.BUSY, "◉ busy"), (SolverState.BACKOFF, "◐ backoff"), (SolverState.FAILED, "✗ failed")):
            client.change_solver(name, partial(replace, state=state, error="out of memory"))
            assert isinstance(app.screen, LookingPlace)
            app.screen.call_next(app.screen.look_soon)
            await wait_until(pilot, shows(app, shown))
        assert "out of memory" in screen_text(app)


async def test_a_package_that_cannot_be_used_says_why(open_app: OpenApp) -> None:
    hub = default_hub()
    why = "cvflow/nanodet is linked to /gone, which is gone: put it back"
    hub[0] = replace(hub[0], summary=replace(hub[0].summary, solvers=(), tasks=(), problem=why))
    client = FakeClient(hub)
    async with open_app(client, "packages", (160, 45)) as (app, pilot):
        await wait_until(pilot, lambda: screen_text(app).count("cvflow/nanodet is") == 3)  # the line, the pane, the summary
        await pilot.press("s")
        await wait_until(pilot, lambda: why in screen_text(app).splitlines()[-2])
        assert not client.called("start_solver") and client.called("package") == []
        await pilot.press("down")
        await wait_until(pilot, lambda: "1000 classes" in screen_text(app))


async def test_removing_asks_and_names_what_is_freed_and_stopped(open_app: OpenApp, client: FakeClient) -> None:
    await client.start_solver("cvflow/nanodet/detect")
    async with open_app(client, "packages") as (app, pilot):
        await pilot.press("x")
        await wait_until(pilot, lambda: isinstance(app.screen, Choice))
        assert "Remove cvflow/nanodet 1.0.0?" in screen_text(app)
        assert "Stops first: cvflow/nanodet/detect" in screen_text(app)
        await pilot.press("enter")  # the cursor stands on "keep"
        await wait_until(pilot, lambda: isinstance(app.screen, Place))
        assert not client.called("remove")
        await pilot.press("x")
        await wait_until(pilot, lambda: isinstance(app.screen, Choice))
        await pilot.press("y")
        await wait_until(pilot, lambda: "cvflow/nanodet removed, 3.7 MB freed" in screen_text(app))
        assert client.called("remove") == [("cvflow/nanodet", False)]
        assert app.screen.query_one(VirtualTable).shown == 2


async def test_removing_tells_what_the_disk_gets_back(open_app: OpenApp, client: FakeClient) -> None:
    entries = (
        DiskEntry("package", "cvflow/nanodet 1.0.0", 65_536),
        DiskEntry("kept version", "cvflow/nanodet 0.9.0", 40_000),
        DiskEntry("environment", "3f", 400_000_000),
        DiskEntry("weight", "nanodet.onnx", 3_700_000, digest="a1" * 32),
    )
    client.goes = Pruning(entries, sum(entry.bytes for entry in entries), shared=390_000_000)
    client.removal_shares = 390_000_000
    async with open_app(client, "packages") as (app, pilot):
        await pilot.press("x")
        await wait_until(pilot, lambda: isinstance(app.screen, Choice))
        told = " ".join(screen_text(app).split())
        assert "Frees 13.8 MB." in told
        assert "its own files 65.5 kB, kept versions 40.0 kB, its environment 400 MB, weights 3.7 MB." in told
        assert "390 MB of that is shared: uv's cache or another folder has it too, and deleting it here frees nothing." in told
        await pilot.press("y")
        await wait_until(pilot, lambda: "390 MB stays linked from uv's cache" in screen_text(app))


@pytest.mark.parametrize("size", SIZES)
async def test_what_uvs_cache_has_too_is_told(open_app: OpenApp, client: FakeClient, size: tuple[int, int]) -> None:
    client.disk_entries = (
        DiskEntry("environment", "3f", 482_000_000, ("me/net 1.0",), shared=470_000_000),
        DiskEntry("kept version", "cvflow/nanodet 0.9.0", 8_000_000, shared=5_000_000),
        DiskEntry("package", "me/net 1.0", 65_536),
    )
    client.cache_bytes = 2_000_000_000
    async with open_app(client, "packages", size) as (app, pilot):
        await pilot.press("d")
        await wait_until(pilot, lambda: "p prune" in screen_text(app))
        text = " ".join(dialog_text(app).replace("▸", " ").split())
        assert "environment 3f" in text and "482 MB" in text and "470 MB" in text
        assert "8.0 MB kept version cvflow/nanodet 0.9.0 8.0 MB 5.0 MB" in text
        assert "475 MB of it is shared: uv's cache or another folder has it too" in text
        assert "outside, uv's cache: 2.0 GB in /home/me/.cache/uv (cvflow prune --cache)" in text
        assert "8.0 MB of it nobody uses: p deletes it, after asking, freeing 3.0 MB" in text
        await pilot.press("end")
        await wait_until(pilot, lambda: "me/net 1.0: its own files, in whole blocks of the disk" in screen_text(app))


async def test_the_size_of_a_package_says_what_is_in_it(open_app: OpenApp, client: FakeClient) -> None:
    async with open_app(client, "packages", (160, 45)) as (app, pilot):
        await wait_until(pilot, lambda: "3.7 MB with its weights" in screen_text(app))


async def test_what_is_told_of_a_weight_stands_under_its_name(open_app: OpenApp, client: FakeClient) -> None:
    async with open_app(client, "packages", (100, 40)) as (app, pilot):
        await wait_until(pilot, lambda: "│   nanodet.onnx\n" in screen_text(app))
        assert "│     3.7 MB · checked by sha256\n" in screen_text(app)


async def test_nothing_installed_says_what_to_do(open_app: OpenApp) -> None:
    hub = [replace(detail, summary=replace(detail.summary, installed=None)) for detail in default_hub()]
    async with open_app(FakeClient(hub), "packages") as (app, pilot):
        await wait_until(pilot, lambda: "F1 goes to the hub; i installs a package there." in screen_text(app))
        await pilot.press("s", "x", "enter")
        await settle(pilot)
        assert isinstance(app.screen, Place)


async def test_the_mouse_chooses_and_starts(open_app: OpenApp, client: FakeClient) -> None:
    async with open_app(client, "packages") as (_, pilot):
        await pilot.click(VirtualTable, offset=(5, 4), times=2)
        await wait_until(pilot, lambda: client.called("start_solver") == [("cvflow/mobilenet/classify",)])


async def test_removing_names_the_projects_that_lose_their_suggestions(open_app: OpenApp, client: FakeClient) -> None:
    client.used_by = ("raccoons",)
    async with open_app(client, "packages") as (app, pilot):
        await pilot.press("x")
        await wait_until(pilot, lambda: "would get none: raccoons" in " ".join(screen_text(app).split()))
        await pilot.press("y")
        await wait_until(pilot, lambda: client.called("remove") == [("cvflow/nanodet", True)])


async def test_an_upgrade_restarts_what_runs_and_says_the_way_back(open_app: OpenApp, client: FakeClient) -> None:
    client.newest = "1.4.0"
    await client.start_solver("cvflow/nanodet/detect")
    async with open_app(client, "packages", (120, 36)) as (app, pilot):
        await wait_until(pilot, lambda: "● ready" in screen_text(app))
        await pilot.press("u")
        await wait_until(pilot, lambda: "Replace cvflow/nanodet 1.0.0 by 1.4.0" in screen_text(app))
        await pilot.press("enter")
        await wait_until(pilot, lambda: "1.0.0 is kept: b goes back to it." in " ".join(screen_text(app).split()))
        assert "cvflow/nanodet/detect serves it now." in screen_text(app)
        assert client.called("upgrade") == [(UpgradeRequest("cvflow/nanodet", restart=True, rollback_on_failure=True),)]
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(app.screen, Place) and "1.4.0" in screen_text(app))


async def test_the_newest_is_not_upgraded(open_app: OpenApp, client: FakeClient) -> None:
    async with open_app(client, "packages") as (app, pilot):
        await pilot.press("u")
        await wait_until(pilot, lambda: "cvflow/nanodet 1.0.0 is the newest there is." in screen_text(app))
        assert "Upgrade cvflow/nanodet" in screen_text(app) and "Replace" not in screen_text(app)
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(app.screen, Place))
    assert not client.called("upgrade")


async def test_the_newest_of_what_was_asked_for_is_told_as_that(open_app: OpenApp, client: FakeClient) -> None:
    client.held = "with v1, which its source names; another: cvflow install 'git+file:///x@REF'"
    async with open_app(client, "packages") as (app, pilot):
        await pilot.press("u")
        await wait_until(pilot, lambda: "cvflow/nanodet 1.0.0 is up to date with v1, which" in " ".join(screen_text(app).split()))
        assert "newest" not in screen_text(app)


async def test_an_upgrade_whose_solver_does_not_start_says_so(open_app: OpenApp, client: FakeClient) -> None:
    client.newest, client.upgrade_error = "1.4.0", "it has no weights"
    async with open_app(client, "packages") as (app, pilot):
        await pilot.press("u")
        await wait_until(pilot, lambda: "by 1.4.0" in screen_text(app))
        await pilot.press("enter")
        await wait_until(pilot, lambda: "it has no weights" in screen_text(app))
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(app.screen, Place))
        await wait_until(pilot, lambda: "it has no weights; cvflow/nanodet is at " in screen_text(app))
        assert "is upgraded" not in screen_text(app)


async def test_going_back_asks(open_app: OpenApp, client: FakeClient) -> None:
    async with open_app(client, "packages") as (app, pilot):
        await pilot.press("b")
        await wait_until(pilot, lambda: "no version of cvflow/nanodet before this one is kept" in screen_text(app))
        client.kept = "0.9.0"
        await pilot.press("b")
        await wait_until(pilot, lambda: "Go back from cvflow/nanodet 1.0.0 to 0.9.0?" in screen_text(app))
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(app.screen, Place))
        assert not client.called("rollback")
        await pilot.press("b")
        await wait_until(pilot, lambda: isinstance(app.screen, Choice))
        await pilot.press("y")
        await wait_until(pilot, lambda: "cvflow/nanodet 1.0.0 → 0.9.0" in screen_text(app))
        client.kept, client.kept_is_newer = "1.0.0", True
        await pilot.press("b")
        await wait_until(pilot, lambda: "Return from cvflow/nanodet 0.9.0 to the newer 1.0.0?" in screen_text(app))


ENTRIES = (
    DiskEntry("weight", "face.dat", 100_000_000, ("cvflow/face_utility", "me/faces")),
    DiskEntry("kept version", "cvflow/nanodet 0.9.0", 8_000_000),
    DiskEntry("weight", "net.onnx", 5_000_000, ("me/net 1.0",), digest="a1" * 32),
    DiskEntry("weight", "net.onnx", 4_000_000, ("lab/net 2.0",), digest="b2" * 32),
)


@pytest.mark.parametrize("size", SIZES)
async def test_what_takes_room_and_what_could_go(open_app: OpenApp, client: FakeClient, size: tuple[int, int]) -> None:
    client.disk_entries = ENTRIES
    async with open_app(client, "packages", size) as (app, pilot):
        await pilot.press("d")
        await wait_until(pilot, lambda: "117 MB in /home/me/cvflow · 52.0 GB free" in screen_text(app))
        rows = [" ".join(line.replace("▸", " ").split()) for line in dialog_text(app).splitlines() if "MB" in line]
        wide = size[0] > 100
        assert [row for row in rows if "net.onnx" in row] == [
            f"5.0 MB weight net.onnx{' me/net 1.0 a1a1a1a1' if wide else ''}",
            f"4.0 MB weight net.onnx{' lab/net 2.0 b2b2b2b2' if wide else ''}",
        ]
        assert "face.dat: of cvflow/face_utility, me/faces" in screen_text(app)
        await pilot.press("down", "down")
        await wait_until(pilot, lambda: "net.onnx (sha256 a1a1a1a1): of me/net 1.0" in screen_text(app))
        assert "8.0 MB kept version cvflow/nanodet 0.9.0 8.0 MB" in rows, "what would go is told apart"
        assert "8.0 MB of it nobody uses" in screen_text(app)
        await pilot.press("p")
        await wait_until(pilot, lambda: "Free 8.0 MB?" in screen_text(app))
        await pilot.press("enter")
        await wait_until(pilot, lambda: "Free 8.0 MB?" not in screen_text(app))
        assert not client.called("prune")
        await pilot.press("p")
        await wait_until(pilot, lambda: "Free 8.0 MB?" in screen_text(app))
        await pilot.press("y")
        await wait_until(pilot, lambda: "8.0 MB freed" in screen_text(app))
        assert "kept version" not in screen_text(app)


def test_a_package_without_a_tagline_is_named_and_nothing_follows(client: FakeClient) -> None:
    detail = client.hub["cvflow/nanodet"]
    assert detail.summary.headline.startswith("cvflow/nanodet 1.0.0: ")
    assert replace(detail.summary, tagline="").headline == "cvflow/nanodet 1.0.0"


async def test_who_serves_another_version_than_is_installed_says_so(open_app: OpenApp, client: FakeClient) -> None:
    await client.start_solver(SERVED)
    async with open_app(client, "packages") as (app, pilot):
        await wait_until(pilot, lambda: f"port {client.running[SERVED].port}" in screen_text(app))
        assert "still" not in screen_text(app)
        client.running[SERVED] = replace(client.running[SERVED], version="0.9.0")
        await wait_until(pilot, lambda: ", still 0.9.0" in screen_text(app))
