"""Projects: making, listing, opening, removing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from cvflow_tui.backend.annotation.projects import ProjectService
from cvflow_tui.home import Home
from cvflow_tui.model.errors import CvflowError, NotFoundError, RefusedError, UsageError
from cvflow_tui.model.geometry import Box
from cvflow_tui.model.projects import Draw, PictureState, ProjectSettings, SetState

from .conftest import SOLVER

Start = Callable[[], ProjectService]


def test_a_project_is_made_listed_and_found_again_after_a_restart(start: Start, folder: Path, home: Home) -> None:
    service = start()
    made = service.create("raccoons", [str(folder)], ["raccoon", "dog"], ProjectSettings(SOLVER), "taken at home")
    assert (made.pictures, made.labels, made.credit, made.until_round) == (12, ("raccoon", "dog"), "taken at home", 10)
    again = start()
    assert again.projects() == [made] == [again.project("raccoons")]
    assert sorted(path.name for path in (home.projects / "raccoons").iterdir() if not path.name.endswith(("-wal", "-shm"))) == [
        "cache",
        "checkpoints",
        "labels.toml",
        "project.db",
    ]


def test_pictures_stand_in_natural_order_and_are_windows(start: Start, folder: Path) -> None:
    service = start()
    service.create("p", [str(folder)], ["a"])
    page = service.pictures("p", offset=8, limit=3)
    assert [(item.position, item.name) for item in page.pictures] == [(9, "p-9.jpg"), (10, "p-10.jpg"), (11, "p-11.jpg")]
    assert (page.total, page.offset) == (12, 8)
    found = service.pictures("p", query="P-1")
    assert [item.name for item in found.pictures] == ["p-1.jpg", "p-10.jpg", "p-11.jpg", "p-12.jpg"]
    assert found.total == 4
    assert service.pictures("p", query="%").total == 0


def test_names_are_relative_to_what_the_pictures_share(start: Start, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "deep"
    other.mkdir(parents=True)
    (other / "p-1.jpg").write_bytes((folder / "p-1.jpg").read_bytes())
    (other / ".hidden.jpg").write_bytes(b"x")
    (other / "notes.txt").write_text("x")
    service = start()
    service.create("p", [str(folder), str(tmp_path / "other"), str(folder / "p-3.jpg")], ["a"])
    names = [item.name for item in service.pictures("p").pictures]
    assert names[0] == "other/deep/p-1.jpg"
    assert names[1:3] == ["pictures/p-1.jpg", "pictures/p-2.jpg"]
    assert len(names) == 13


@pytest.mark.parametrize(
    ("name", "labels", "pictures", "kind", "says"),
    [
        ("Bad Name", ["a"], None, UsageError, "Bad Name"),
        ("..", ["a"], None, UsageError, "project name"),
        ("a.candidate", ["a"], None, UsageError, "candidate"),
        ("ok", [], None, UsageError, "at least one label"),
        ("ok", ["a", ""], None, UsageError, "label 2 is empty"),
        ("ok", ["a", "A"], None, UsageError, "given twice"),
        ("ok", ["a", "b", "a"], None, UsageError, "given twice"),
        ("ok", ["a", "b\x1b[31mc"], None, UsageError, r"label 2, 'b\x1b[31mc'"),
        ("ok", ["two\nlines"], None, UsageError, "label 1"),
        ("ok", ["\u202eevil"], None, UsageError, "label 1"),
        ("ok", ["a"], [], UsageError, "no pictures"),
        ("ok", ["a"], ["empty"], UsageError, "no pictures in"),
        ("ok", ["a"], ["missing"], NotFoundError, "missing does not exist"),
        ("ok", ["a"], ["notes.txt"], UsageError, "notes.txt is no picture"),
    ],
)
def test_bad_input_gets_one_line_and_leaves_nothing(
    start: Start, folder: Path, home: Home, name: str, labels: list[str], pictures: list[str] | None, kind: type[CvflowError], says: str
) -> None:
    (folder.parent / "empty").mkdir()
    (folder.parent / "notes.txt").write_text("x")
    service = start()
    given = [str(folder)] if pictures is None else [str(folder.parent / item) for item in pictures]
    with pytest.raises(kind) as caught:
        service.create(name, given, labels)
    assert says in caught.value.message
    assert "\n" not in caught.value.message
    assert "\x1b" not in caught.value.message
    assert service.projects() == []
    assert list(home.projects.iterdir()) == []


def test_markup_in_a_label_is_ordinary_text(start: Start, folder: Path) -> None:
    service = start()
    service.create("p", [str(folder)], ["[bold]", "x = \"[/]'"])
    assert start().project("p").labels == ("[bold]", "x = \"[/]'")


def test_a_name_is_taken_once_and_unknown_ones_say_what_there_is(start: Start, folder: Path) -> None:
    service = start()
    with pytest.raises(NotFoundError, match="there are none yet"):
        service.project("p")
    service.create("p", [str(folder)], ["a"])
    with pytest.raises(RefusedError, match="a project p already"):
        service.create("p", [str(folder)], ["b"])
    with pytest.raises(NotFoundError, match="there are p"):
        service.open("q")
    with pytest.raises(NotFoundError, match="there is no picture 13: the project has 12"):
        service.open("p", 13)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        (ProjectSettings("nanodet"), "solver"),
        (ProjectSettings(threshold=1.5), "threshold"),
        (ProjectSettings(threshold=float("nan")), "threshold"),
        (ProjectSettings(round_every=-1), "round_every"),
    ],
)
def test_settings_are_checked(start: Start, folder: Path, settings: ProjectSettings, field: str) -> None:
    service = start()
    service.create("p", [str(folder)], ["a"])
    with pytest.raises(UsageError, match=field):
        service.change("p", settings)
    assert service.project("p").settings == ProjectSettings()
    assert service.change("p", ProjectSettings(SOLVER, 0.5, 3)).settings == ProjectSettings(SOLVER, 0.5, 3)


def test_removal_takes_the_folder_and_leaves_the_pictures(start: Start, folder: Path, home: Home) -> None:
    service = start()
    service.create("p", [str(folder)], ["a"])
    let_go: list[str] = []
    service.before_removal(let_go.append)
    service.remove("p")
    assert let_go == ["p"]
    assert service.projects() == []
    assert list(home.projects.iterdir()) == []
    assert len(list(folder.iterdir())) == 12


def test_recover_lists_a_whole_project_and_clears_halves(start: Start, folder: Path, home: Home) -> None:
    service = start()
    service.create("p", [str(folder)], ["a"])
    service.close()
    (home.projects / "p").rename(home.projects / "q")
    (home.projects / f".r.new-{'0' * 32}").mkdir()
    again = start()
    assert [(item.name, item.error is None) for item in again.projects()] == [("p", False), ("q", True)]
    assert again.project("q").pictures == 12
    assert not [path for path in home.projects.iterdir() if path.name.startswith(".")]


def test_broken_labels_are_said_and_do_not_hide_other_projects(start: Start, folder: Path, home: Home) -> None:
    service = start()
    service.create("a", [str(folder)], ["x"])
    service.create("b", [str(folder)], ["x"])
    service.close()
    (home.projects / "a" / "labels.toml").write_text("[[labels]]\nname = 'x'\nnumber = 2\n")
    listed = start().projects()
    assert listed[0].error is not None
    assert "labels.toml" in listed[0].error
    assert listed[1].error is None


def test_a_removal_that_was_cut_short_is_finished(start: Start, folder: Path, home: Home) -> None:
    service = start()
    service.create("p", [str(folder)], ["a"])
    service.close()
    (home.projects / "p").rename(home.projects / f".p.removed-{'0' * 32}")
    again = start()
    assert again.projects() == []
    assert again.create("p", [str(folder)], ["a"]).pictures == 12


def test_a_damaged_database_is_said_and_does_not_hide_other_projects(start: Start, folder: Path, home: Home) -> None:
    service = start()
    service.create("a", [str(folder)], ["x"])
    service.create("b", [str(folder)], ["x"])
    service.close()
    path = home.projects / "a" / "project.db"
    with closing(sqlite3.connect(path)) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'project'").fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:  # it opens, and what it holds can't be read
        file.seek((page - 1) * size)
        file.write(bytes(size))
    listed = start().projects()
    assert "malformed" in (listed[0].error or "")
    assert listed[1].error is None


def test_a_class_that_labels_toml_has_lost_is_named(start: Start, folder: Path, home: Home) -> None:
    service = start()
    service.create("p", [str(folder)], ["cat", "dog"])
    service.act("p", 1, Draw("dog", Box(1, 1, 20, 20)))
    service.close()
    labels = home.projects / "p" / "labels.toml"
    labels.write_text(labels.read_text().partition('[[labels]]\nname = "dog"')[0])
    with pytest.raises(UsageError, match=r"class 2 is missing in labels\.toml: put it back \(it has cat\)"):
        start().open("p", 1)


def test_open_goes_to_the_first_that_is_not_finished(start: Start, folder: Path) -> None:
    service = start()
    service.create("p", [str(folder)], ["a"])
    first = service.open("p")
    assert (first.picture.position, first.picture.state, first.total) == (1, PictureState.UNSEEN, 12)
    service.act("p", first.picture.id, Draw("a", Box(1, 1, 20, 20)))
    assert service.open("p").picture.position == 1
    service.act("p", first.picture.id, SetState(PictureState.ANNOTATED))
    second = service.open("p")
    assert second.picture.position == 2
    service.act("p", second.picture.id, SetState(PictureState.SKIPPED))
    assert service.open("p").picture.position == 3
    project = service.project("p")
    assert (project.finished, project.annotations) == (1, 1)
    assert project.counts == {"unseen": 10, "annotated": 1, "skipped": 1}
    assert service.pictures("p", state=PictureState.SKIPPED).total == 1


def test_content_is_only_that_of_registered_pictures(start: Start, folder: Path) -> None:
    service = start()
    service.create("p", [str(folder)], ["a"])
    assert service.content("p", 3) == folder / "p-3.jpg"
    with pytest.raises(NotFoundError, match="no picture with id 99"):
        service.content("p", 99)
    (folder / "p-3.jpg").unlink()
    with pytest.raises(NotFoundError, match=r"p-3\.jpg is gone"):
        service.content("p", 3)
