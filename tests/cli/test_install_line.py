"""A line of the app and the command's own line are the same request."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvflow_tui.install_line import read_line
from cvflow_tui.model.errors import UsageError
from cvflow_tui.model.install_words import write_line
from cvflow_tui.model.mending import Mend
from cvflow_tui.model.packages import InstallRequest

WORD = st.text(st.sampled_from("ab0'\" <>=$*"), min_size=1, max_size=8).filter(lambda word: word.strip() == word)
PATH = WORD.map(lambda word: f"/nowhere/{word}")


@given(
    st.builds(
        InstallRequest,
        PATH.map(lambda path: f"file:{path}"),
        editable=st.booleans(),
        locked=st.booleans(),
        scripts=st.lists(st.text("0123456789abcdef", min_size=12, max_size=12), max_size=2).map(tuple),
        requirements=st.lists(WORD, max_size=3, unique=True).map(tuple),
        relax=st.booleans(),
        allow_build=st.lists(WORD, max_size=2, unique=True).map(tuple),
        python=st.none() | PATH,
        weights=st.lists(PATH.map(lambda path: f"w.bin={path}"), max_size=2).map(tuple),
        strict=st.booleans(),
        again=st.booleans(),
    )
)
def test_what_is_written_is_read_again(request_: InstallRequest) -> None:
    assert read_line(write_line(request_)) == request_


def test_a_mend_stands_behind_what_was_given() -> None:
    request = InstallRequest("hub:x", requirements=("numpy<2",), python="3.12")
    mend = Mend(("numpy<2", "colorama"), ("w.bin",), python="3.9")
    assert write_line(request, mend) == "hub:x --with 'numpy<2' --with colorama --python 3.9 --weights w.bin="
    assert write_line(request, Mend(relax=True)) == "hub:x --with 'numpy<2' --relax --python 3.12"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", "Missing argument 'SOURCE'."),
        ("a b", "Got unexpected extra argument (b)"),
        ("a 'b", "a 'b: no closing quotation"),
        ("a --python", "Option '--python' requires an argument."),
        ("a --weights w=", "Invalid value for '--weights': w= names no file"),
    ],
)
def test_what_is_wrong_is_said_as_the_command_does(line: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_line(line)
    assert caught.value.message == told


def test_a_folder_needs_no_quotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "it's mine").mkdir()
    monkeypatch.chdir(tmp_path)
    assert read_line("./it's mine").source == f"file:{tmp_path}/it's mine"
    assert read_line("./other --editable") == InstallRequest(f"file:{tmp_path}/other", editable=True)


def test_a_lock_needs_no_dot_before_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon, which reads it, works in another folder, where a file of that name is another lock."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for name in ("cvflow.lock", "sub/other.lock"):
        (tmp_path / name).write_text("")
        assert read_line(f"--locked {name}") == InstallRequest(f"file:{tmp_path / name}", locked=True)
        assert read_line(name) == InstallRequest(name)
    assert read_line("--locked nanodet") == InstallRequest("nanodet", locked=True)
