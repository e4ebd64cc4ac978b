"""The projects place: the list, the form, export, deleting, empty states."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.widgets import Static

from cvflow_tui.model.errors import RefusedError, UsageError
from cvflow_tui.model.projects import Prequential, Project, ProjectSettings
from cvflow_tui.screens.projects import ProjectsScreen
from cvflow_tui.screens.projects_new import FormError, NewProject, blamed, read_form
from cvflow_tui.screens.projects_paths import completed
from cvflow_tui.widgets.line_input import LineInput
from tests.iae_screens.conftest import Opened, Stage
from tests.iae_screens.fake_projects import METRICS, SOLVER, FakeProjects

FILLED = {"name": "cats", "pictures": "/a/b, /c d/e.jpg", "labels": "cat, dog", "round_every": "10", "threshold": ".4"}


def table(stage: Stage) -> Any:
    screen = stage.app.screen_stack[0]
    assert isinstance(screen, ProjectsScreen)
    return screen.table


async def listed(stage: Stage, count: int) -> None:
    await stage.until(lambda: len(table(stage).items) == count, f"{count} projects")


async def test_the_list_fetches_accuracy_only_for_rows_it_draws(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeProjects()
    for number in range(300):
        fake.add(f"project{number:03}", pictures=1)
    fake.stored["project000"].prequential = Prequential(METRICS, METRICS, (0.2, 0.8))
    asked: list[str] = []
    original = fake.project

    async def project(name: str) -> Any:
        asked.append(name)
        return await original(name)

    monkeypatch.setattr(fake, "project", project)
    async with opened(fake, place="projects", project=None) as stage:
        await listed(stage, 300)
        await stage.until(lambda: "project000" in asked, "the first row's accuracy")
        await stage.pilot.pause(0.1)
        assert len(asked) < 30


async def test_enter_opens_for_annotation(opened: Opened, fake: FakeProjects) -> None:
    fake.add("dogs")
    async with opened(fake, place="projects", project=None) as stage:
        await listed(stage, 2)
        await stage.keys("down", "enter")
        await stage.until(lambda: stage.app.current_mode == "annotate", "the annotate place")
        assert stage.app.current_project == "dogs"
        await stage.until(lambda: ("open", 1) in fake.calls, "the first picture")


async def test_the_filter_narrows_the_list(opened: Opened, fake: FakeProjects) -> None:
    fake.add("dogs")
    async with opened(fake, place="projects", project=None) as stage:
        await listed(stage, 2)
        await stage.keys("slash", *"dog", "enter")
        assert table(stage).shown == 2, "both projects have the class dog"
        await stage.keys("slash", *" !raccoons", "enter")
        assert [table(stage).current.name] == ["dogs"]


async def test_a_project_is_made_with_keys_alone(opened: Opened, fake: FakeProjects, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    async with opened(fake, place="projects", project=None) as stage:
        await listed(stage, 1)
        await stage.keys("n")
        await stage.keys(*"cats", "tab")
        stage.app.screen.query_one("#pictures", LineInput).insert_text_at_cursor(f"{tmp_path}/pict")
        await stage.pilot.pause(0.1)
        await stage.keys("tab")
        assert stage.app.screen.query_one("#pictures", LineInput).value == f"{tmp_path}/pictures/"
        await stage.keys("tab", *"cat,", "space", *"dog", "enter")
        await listed(stage, 2)
        assert fake.calls == [("create", "cats", (f"{tmp_path}/pictures",), ("cat", "dog"), ProjectSettings(SOLVER, 0.4, 10))]
        assert table(stage).current.name == "cats"


async def test_what_is_wrong_stands_at_its_field(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake, place="projects", project=None) as stage:
        await listed(stage, 1)
        await stage.keys("n", "enter")
        form = stage.app.screen
        assert isinstance(form, NewProject)
        assert form.query_one("#field-name").has_class("-wrong")
        for name in ("name", "pictures", "labels"):
            form.query_one(f"#{name}", LineInput).value = FILLED[name]
        fake.fail["create_project"] = UsageError("/a/b is no folder of pictures")
        await stage.keys("enter")
        await stage.until(lambda: form.query_one("#field-pictures").has_class("-wrong"), "the daemon's word")
        assert str(form.query_one("#field-pictures .field-wrong", Static).content) == "/a/b is no folder of pictures"
        assert form.focused is form.query_one("#pictures")
        assert stage.app.screen is form


async def test_deleting_asks_first_and_enter_alone_keeps(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake, place="projects", project=None) as stage:
        await listed(stage, 1)
        await stage.keys("x", "enter")
        assert "raccoons" in fake.stored
        await stage.keys("x", "y")
        await stage.until(lambda: "raccoons" not in fake.stored, "the deletion")
        await stage.until(lambda: "n makes one" in " ".join(table(stage).empty.split()), "the empty list's words")


async def test_a_deleted_project_leaves_the_desk(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake) as stage:
        stage.app.go("projects")
        await stage.until(lambda: stage.app.current_mode == "projects", "the projects place")
        await listed(stage, 1)
        await stage.keys("x", "y")
        await stage.until(lambda: "raccoons" not in fake.stored, "the deletion")
        fake.add(pictures=2)
        stage.app.open_project("raccoons")
        await stage.until(lambda: "1/2 raccoons-1.png" in stage.status, "the new project of that name")


async def test_an_export_says_what_it_wrote_and_left_out(
    opened: Opened, fake: FakeProjects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raccoons-coco.json").write_text("{}")
    async with opened(fake, place="projects", project=None) as stage:
        await listed(stage, 1)
        await stage.keys("e", "enter", "n")
        assert fake.calls == [], "a file that is there is not replaced without a yes"
        await stage.keys("e", "enter", "y")
        path = str(tmp_path / "raccoons-coco.json")
        await stage.until(lambda: ("export", "raccoons", "coco", path) in fake.calls, "the export")
        await stage.until(lambda: any("left out: 2 pictures are not finished" in toast for toast in stage.toasts), "what was left out")


async def test_training_from_the_list_shows_the_round(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake, place="projects", project=None) as stage:
        await listed(stage, 1)
        fake.fail["train"] = RefusedError("no picture is finished yet")
        await stage.keys("t")
        assert stage.status == "no picture is finished yet"
        await stage.keys("t")
        await stage.until(lambda: stage.app.current_mode == "training", "the training place")


async def test_without_projects_only_new_works(opened: Opened) -> None:
    async with opened(FakeProjects(), place="projects", project=None) as stage:
        await stage.until(lambda: "cvflow app --demo" in table(stage).empty, "the empty list's words")
        await stage.keys("e", "t", "x", "enter")
        assert stage.fake.calls == []


def test_a_form_that_makes_sense() -> None:
    draft = read_form(FILLED, SOLVER)
    assert draft.pictures == ("/a/b", "/c d/e.jpg")
    assert draft.labels == ("cat", "dog")
    assert draft.settings == ProjectSettings(SOLVER, 0.4, 10)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "../up"),
        ("name", "a b"),
        ("pictures", " , "),
        ("labels", ""),
        ("labels", "cat, cat"),
        ("round_every", "-1"),
        ("round_every", "ten"),
        ("threshold", "2"),
        ("threshold", "nan"),
    ],
)
def test_a_form_that_does_not(field: str, value: str) -> None:
    with pytest.raises(FormError) as caught:
        read_form({**FILLED, field: value}, None)
    assert caught.value.field == field


@given(st.fixed_dictionaries({name: st.text(max_size=12) for name in FILLED}))
def test_any_form_makes_a_draft_or_names_a_field(values: dict[str, str]) -> None:
    try:
        draft = read_form(values, None)
    except FormError as error:
        assert error.field in FILLED
    else:
        assert draft.labels
        assert 0.0 <= draft.settings.threshold <= 1.0
        assert all(path.startswith("/") for path in draft.pictures)


def test_the_daemons_words_find_their_field() -> None:
    draft = read_form(FILLED, SOLVER)
    assert blamed("/a/b does not exist", draft) == "pictures"
    assert blamed("there is a project cats already", draft) == "name"
    assert blamed(f"{SOLVER} is not installed", draft) == "solver"
    assert blamed("disk full", draft) is None


def test_paths_are_completed(tmp_path: Path) -> None:
    (tmp_path / "raccoons").mkdir()
    (tmp_path / "readme.txt").touch()
    (tmp_path / ".hidden").touch()
    assert completed(f"{tmp_path}/ra") == f"{tmp_path}/raccoons/"
    assert completed(f"{tmp_path}/re") == f"{tmp_path}/readme.txt"
    assert completed(f"{tmp_path}/") == f"{tmp_path}/raccoons/"
    assert completed(f"{tmp_path}/none") is None
    assert completed(f"{tmp_path}/no/where") is None
    assert completed("") is None


def test_a_project_knows_no_share_of_nothing() -> None:
    from cvflow_tui.screens.projects import _share

    assert _share(Project("a", "/a", (), ProjectSettings())) == 0.0
