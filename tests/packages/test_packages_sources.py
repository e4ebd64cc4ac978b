"""Sources: how they are read, and what fetching from a folder and from git brings and refuses."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from cvflow_tui.backend.jobs import Cancelled, Progress
from cvflow_tui.backend.packages.hub import FolderHub
from cvflow_tui.backend.packages.sources import Fetched, Source, parse_source
from cvflow_tui.backend.packages.sources.archive import ArchiveSource
from cvflow_tui.backend.packages.sources.folder import FolderSource
from cvflow_tui.backend.packages.sources.git import REF, URL, GitSource, vendor_of
from cvflow_tui.backend.packages.sources.hub import HubSource
from cvflow_tui.backend.packages.sources.links import ends_of, place_links
from cvflow_tui.model.errors import NotFoundError, PackageError, RemoteError, UsageError

from .parts import Watching, commit_all, git, write_package

HUB = FolderHub(Path("/nonexistent"))


def read(text: str) -> Source:
    return parse_source(text, HUB)


def test_every_form() -> None:
    assert read("NanoDet") == HubSource("nanodet", HUB)
    assert read("cvflow/nanodet") == HubSource("cvflow/nanodet", HUB)
    assert read("hub:cvflow/nanodet") == HubSource("cvflow/nanodet", HUB)
    assert read("./here") == FolderSource(Path("./here"))
    assert read("/a/b c") == FolderSource(Path("/a/b c"))
    assert read("file:///a/b%20c") == FolderSource(Path("/a/b c"))
    assert read("file:/a/b") == FolderSource(Path("/a/b"))
    assert read("git+https://host.org/v/p.git") == GitSource("https://host.org/v/p.git")
    assert read("git+https://host.org/v/p@v1.0#subdirectory=a/b") == GitSource("https://host.org/v/p", "v1.0", "a/b")
    assert read("git+file:///v/p@feature") == GitSource("file:///v/p", "feature")
    assert read("git+file:/v/p@feature#subdirectory=a") == GitSource("file:///v/p", "feature", "a")
    assert read("git+ssh://git@host.org:2222/v/p.git@v1#subdirectory=a") == GitSource("ssh://git@host.org:2222/v/p.git", "v1", "a")
    assert read("git+ssh://host/v/p") == GitSource("ssh://host/v/p")
    assert read("nanodet==1.0") == HubSource("nanodet", HUB, "==1.0")
    assert read("hub:CVFlow/nanodet >= 1, <2") == HubSource("cvflow/nanodet", HUB, "<2,>=1")
    assert read("https://h.org/v/p.tar.gz") == ArchiveSource("https://h.org/v/p.tar.gz")
    digest = "AB" * 32
    assert read(f"https://h.org/p.zip#sha256={digest}&subdirectory=a/b") == ArchiveSource("https://h.org/p.zip", digest, "a/b")
    assert read(f"https://h.org/p.zip#sha256={digest}").text == f"https://h.org/p.zip#sha256={digest.lower()}"
    assert parse_source("./here", HUB, editable=True) == FolderSource(Path("./here"), editable=True)


@pytest.mark.parametrize("text", ["nanodet", "git+https://h/v/p", "https://h/p.zip"])
def test_only_a_folder_of_this_machine_can_be_linked(text: str) -> None:
    with pytest.raises(UsageError, match=r"is no folder of this machine: only such a one can be linked \(--editable\)"):
        parse_source(text, HUB, editable=True)


@pytest.mark.parametrize(
    "text",
    ["git+https://user:secret@host/v/p", "git+https://secret@host/v/p@v1", "git+ssh://git:secret@host/v/p", "https://u:secret@h/p.zip"],
)
def test_a_password_in_a_source_is_named_as_such_and_never_repeated(text: str) -> None:
    with pytest.raises(UsageError, match=r"no user name and no password|is no address of an archive") as caught:
        read(text)
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "-",
        "--upload-pack=touch /tmp/x",
        "-ofoo",
        "ext::sh -c 'touch /tmp/x'",
        "git+ext::sh -c touch% /tmp/x",
        "git+-oProxyCommand=x",
        "git+--upload-pack=x",
        "git+https://-oProxy/x",
        "git+https://user:secret@host/v/p",
        "git+https://user@host/v/p",
        "git+ssh://host",
        "git+ssh://-oProxyCommand=x/v/p",
        "git+ssh://-x@host/v/p",
        "git+ssh://git@host/-x",
        "git+ssh://git@host/v/p@-x",
        "git+ssh://a b@host/v/p",
        "git@host:v/p",
        "git+http://host/v/p",
        "git+https://host",
        "git+https://host/v/p@",
        "git+https://host/v/p@-x",
        "git+https://host/v/p@a..b",
        "git+https://host/v/p@a b",
        "git+https://host/v/p#egg=x",
        "git+https://host/v/p#subdirectory=",
        "git+https://host/v/p#subdirectory=../x",
        "git+https://host/v/p#subdirectory=/etc",
        "git+https://host/v/p#subdirectory=.git",
        "git+https://host/v/p\n--x",
        "git+file://host/v/p",
        "file://elsewhere/p",
        "file:",
        "https://host/v/p",
        "a/b/c",
        "a/../b",
        "nanodet==",
        "nanodet==x.y",
        "==1.0",
        "a/b/c==1.0",
        "https://host/v/p.rar",
        "https://host/v/p.tar.zst",
        "https://host/p.zip#sha256=abc",
        "https://host/p.zip#subdirectory=../x",
        "https://host/p.zip#subdirectory=/etc",
        "https://host/p.zip#egg=x",
        "https://host/p.zip\t--x",
        "../../x y\0",
        "Ünïcode",
        "x" * 5000,
    ],
)
def test_what_is_no_source_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(text)
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 400


@given(st.text(max_size=60) | st.from_regex(r"(git\+)?(https|file|ext|ssh)?:?/{0,3}[-\w.@:#%/=]{0,40}", fullmatch=True))
@example("git+https://h/p@@x")
@example("git+file:////")
def test_reading_any_text_gives_a_source_or_a_usage_error(text: str) -> None:
    try:
        source = read(text)
    except UsageError:
        return
    if isinstance(source, GitSource):
        assert URL.fullmatch(source.url)
        assert "::" not in source.url and not source.url.startswith("-")
        assert source.ref is None or (REF.fullmatch(source.ref) and ".." not in source.ref)
        assert source.subdirectory is None or ".." not in Path(source.subdirectory).parts
        assert read(source.text) == source
    elif isinstance(source, HubSource):
        SpecifierSet(source.versions)
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)?", source.ref)
        assert read(source.text) == source
    elif isinstance(source, ArchiveSource):
        assert read(source.text) in (source, ArchiveSource(source.url, (source.sha256 or "").lower() or None, source.subdirectory))
        assert source.subdirectory is None or ".." not in Path(source.subdirectory).parts
    else:
        assert isinstance(source, FolderSource)
        assert not str(source.path).startswith("-")


segment = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,8}", fullmatch=True).filter(lambda part: ".." not in part)
reference = segment.filter(lambda part: not part.endswith((".lock", ".")))


@given(
    st.sampled_from(["https://host.org", "https://host:8443", "file://"]), st.lists(segment, min_size=1, max_size=4), st.none() | reference
)
def test_a_git_source_is_read_as_it_was_written(host: str, path: list[str], ref: str | None) -> None:
    source = GitSource(f"{host}/{'/'.join(path)}", ref, None)
    assert read(source.text) == source


@pytest.mark.parametrize(
    ("url", "vendor"),
    [
        ("https://h/unarxiv/CVPM.git", "unarxiv"),
        ("https://h/CVPM", "local"),
        ("https://h/-x/p", "local"),
        ("https://h/v.git/p.git", "v"),
        ("ssh://git@h/v/p.git", "v"),
        ("file:///a/B/c/", "b"),
    ],
)
def test_the_vendor_is_the_last_but_one_part(url: str, vendor: str) -> None:
    assert vendor_of(url) == vendor


# -- folders


def test_a_folder_is_copied_without_what_does_not_belong_to_it(tmp_path: Path) -> None:
    root = write_package(tmp_path / "p")
    for name in (".git", "__pycache__", ".venv", "parts/__pycache__", ".mypy_cache", "parts/.pytest_cache"):
        (root / name).mkdir()
        (root / name / "x").write_text("x")
    (tmp_path / "secret").write_text("s")
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "outdir").symlink_to("/etc")
    (root / "nowhere").symlink_to("missing")
    (root / "loop").symlink_to("loop")
    (root / "inside").symlink_to(root / "README.md")
    (root / "indir").symlink_to("parts")
    (root / "via").symlink_to("out")
    os.mkfifo(root / "pipe")
    (root / "run.sh").write_text("x")
    (root / "run.sh").chmod(0o755)
    fetched = FolderSource(root).fetch(tmp_path / "copy", Progress())
    found = {path.relative_to(tmp_path / "copy").as_posix() for path in (tmp_path / "copy").rglob("*")}
    assert found == {"cvpm.toml", "README.md", "parts", "parts/solver.py", "inside", "indir", "indir/solver.py", "run.sh"}
    assert not any(path.is_symlink() for path in (tmp_path / "copy").rglob("*")), "of what is installed no file is reached by a link"
    assert (tmp_path / "copy/inside").read_bytes() == (root / "README.md").read_bytes()
    assert (tmp_path / "copy/indir/solver.py").read_bytes() == (root / "parts/solver.py").read_bytes()
    assert os.access(tmp_path / "copy/run.sh", os.X_OK) and not os.access(tmp_path / "copy/cvpm.toml", os.X_OK)
    assert len(fetched.warnings) == 6
    assert fetched.vendor == "local" and fetched.commit is None and not fetched.bundled


def test_a_folder_that_is_not_there_or_no_package(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no such folder"):
        FolderSource(tmp_path / "no").fetch(tmp_path / "copy", Progress())
    (tmp_path / "plain").mkdir()
    with pytest.raises(PackageError, match=r"plain: there is no cvpm\.toml in this folder; a package needs one"):
        FolderSource(tmp_path / "plain").fetch(tmp_path / "copy", Progress())
    assert not (tmp_path / "copy").exists()


# -- git


def repository(folder: Path) -> tuple[Path, str]:
    root = write_package(folder, version="1.0.0")
    return root, commit_all(root)


def fetch(source: str, into: Path, progress: Progress | None = None) -> Fetched:
    return read(source).fetch(into, progress or Progress())


def test_git_pins_the_commit_of_the_default_branch(tmp_path: Path) -> None:
    root, commit = repository(tmp_path / "acme" / "boxes")
    fetched = fetch(f"git+file://{root}", tmp_path / "copy")
    assert fetched.commit == commit and fetched.vendor == "acme"
    assert fetched.source == f"git+file://{root}@{commit}"
    assert (tmp_path / "copy/cvpm.toml").read_bytes() == (root / "cvpm.toml").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["acme", "copy", "wheels"]
    assert not (tmp_path / "copy/.git").exists()


def test_git_branches_tags_and_commits_even_abbreviated(tmp_path: Path) -> None:
    root, first = repository(tmp_path / "p")
    git(root, "tag", "v1")
    git(root, "tag", "-a", "v1-signed", "-m", "x")
    git(root, "checkout", "-q", "-b", "feature/new")
    (root / "more.txt").write_text("more")
    second = commit_all(root, "second")
    git(root, "checkout", "-q", "main")
    for ref, commit in (
        ("v1", first),
        ("v1-signed", first),
        ("feature/new", second),
        (first, first),
        (second, second),
        (second[:9], second),
    ):
        into = tmp_path / f"copy-{ref.replace('/', '-')}"
        assert fetch(f"git+file://{root}@{ref}", into).commit == commit
        assert (into / "more.txt").exists() == (commit == second)


def test_git_subdirectory(tmp_path: Path) -> None:
    write_package(tmp_path / "mono" / "models" / "one")
    commit_all(tmp_path / "mono")
    source = f"git+file://{tmp_path}/mono"
    assert fetch(f"{source}#subdirectory=models/one", tmp_path / "copy").source.endswith("#subdirectory=models/one")
    assert (tmp_path / "copy/cvpm.toml").is_file()
    with pytest.raises(PackageError, match=r"there is no cvpm\.toml"):
        fetch(source, tmp_path / "copy2")
    with pytest.raises(NotFoundError, match="models/two: there is no such folder at commit"):
        fetch(f"{source}#subdirectory=models/two", tmp_path / "copy3")


def test_git_says_what_is_not_there(tmp_path: Path) -> None:
    root, _ = repository(tmp_path / "p")
    with pytest.raises(NotFoundError, match="there is no branch or tag 'nope'"):
        fetch(f"git+file://{root}@nope", tmp_path / "c")
    with pytest.raises(NotFoundError, match="there is no commit deadbeef"):
        fetch(f"git+file://{root}@deadbeef", tmp_path / "c")
    with pytest.raises(RemoteError, match="git cannot fetch file://"):
        fetch(f"git+file://{tmp_path}/none", tmp_path / "c")
    assert not any(path.name.startswith("c") for path in tmp_path.iterdir())


def test_git_runs_nothing_of_the_repository_or_of_the_users_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hooks, filters, symbolic links and submodules of a hostile repository; a global configuration that rewrites addresses."""
    root, _ = repository(tmp_path / "p")
    sub, _ = repository(tmp_path / "sub")
    mark = tmp_path / "ran"
    (root / ".gitattributes").write_text("*.md filter=lfs\n*.toml filter=evil\n")
    (root / "link").symlink_to("/etc/hostname")
    git(root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(sub), "sub")
    commit_all(root, "evil")
    configuration = tmp_path / "gitconfig"
    evil = f"!touch {mark}; cat"
    configuration.write_text(
        f'[filter "evil"]\nsmudge = "{evil[1:]}"\n[core]\nhooksPath = {tmp_path}/hooks\n[url "file:///nowhere"]\ninsteadOf = "file://{tmp_path}"\n'
    )
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks/post-checkout").write_text(f"#!/bin/sh\ntouch {mark}\n")
    (tmp_path / "hooks/post-checkout").chmod(0o755)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(configuration))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_WORK_TREE", "/")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.symlinks")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")
    fetched = fetch(f"git+file://{root}", tmp_path / "copy")
    assert not mark.exists()
    assert not (tmp_path / "elsewhere").exists()
    assert not os.path.lexists(tmp_path / "copy/link") and "left out link: the link leads out of the package" in fetched.warnings
    assert not list((tmp_path / "copy/sub").iterdir())


@pytest.mark.parametrize("kind", ["git", "folder"])
def test_links_inside_a_package_become_what_they_lead_to(tmp_path: Path, kind: str) -> None:
    root = write_package(tmp_path / "p")
    (root / "parts/deep").mkdir()
    (root / "parts/deep/real.py").write_text("REAL = 1\n")
    (root / "parts/util.py").symlink_to("deep/real.py")
    (root / "again.py").symlink_to("parts/util.py")
    (root / "folder").symlink_to("parts/deep")
    (root / "through.py").symlink_to("folder/../deep/real.py")
    (root / "parts/deep/up").symlink_to("..")
    (root / "circle").symlink_to("elcric")
    (root / "elcric").symlink_to("circle")
    (root / "out").symlink_to("../secret")
    (tmp_path / "secret").write_text("s")
    (root / "lost").symlink_to("nowhere")
    commit_all(root)
    source = f"git+file://{root}" if kind == "git" else f"file:{root}"
    fetched, copy = fetch(source, tmp_path / "copy"), tmp_path / "copy"
    assert not any(path.is_symlink() for path in copy.rglob("*"))
    for name in ("parts/util.py", "again.py", "folder/real.py"):
        assert (copy / name).read_text() == "REAL = 1\n"
    told = {warning.split(":")[0] for warning in fetched.warnings}
    assert {"left out parts/deep/up", "left out circle", "left out elcric", "left out out", "left out lost"} <= told
    assert "secret" not in {path.name for path in copy.rglob("*")} and not os.path.lexists(copy / "out")


@pytest.mark.parametrize(
    "says",
    [
        "",
        "/etc/passwd",
        "../../x",
        "a\0b",
        ".git/config",
        "../p/.git/config",
        pytest.param("x" * 300, id="name"),
        pytest.param("y/" * 3000, id="path"),
    ],
)
def test_a_link_that_leads_nowhere_good_is_left_out(tmp_path: Path, says: str) -> None:
    warnings: list[str] = []
    assert ends_of({"parts/link": says}, warnings) == {}
    assert len(warnings) == 1


def test_links_to_folders_of_links_end_somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cvflow_tui.backend.packages.sources.links.LINKED_LIMIT", 100)
    (tmp_path / "f0").mkdir()
    (tmp_path / "f0/x").write_text("x")
    ends: dict[str, str] = {}
    for number in range(1, 12):
        (tmp_path / f"f{number}").mkdir()
        ends |= {f"f{number}/{way}": f"f{number - 1}" for way in ("a", "b")}
    with pytest.raises(PackageError, match="links make more than 100 files"):
        place_links(tmp_path, ends, [])
    assert sum(path.is_file() for path in tmp_path.rglob("*")) <= 101


def test_git_is_bounded_in_size_and_time(tmp_path: Path) -> None:
    root = write_package(tmp_path / "p")
    (root / "large").write_bytes(os.urandom(1 << 20))
    commit_all(root)
    with pytest.raises(PackageError, match=r"is larger than 1\.0 kB: too large for a package"):
        GitSource(f"file://{root}", bytes_limit=1000).fetch(tmp_path / "c", Progress())
    with pytest.raises(RemoteError, match="did not finish within 0 s"):
        GitSource(f"file://{root}", seconds_limit=0.0).fetch(tmp_path / "c", Progress())
    assert not any(path.name.startswith("c") for path in tmp_path.iterdir())


def test_git_is_killed_when_it_is_called_off(tmp_path: Path) -> None:
    root, _ = repository(tmp_path / "p")
    # The repository never answers: reading it waits for a pipe that nobody writes to.
    (root / ".git" / "HEAD").unlink()
    os.mkfifo(root / ".git" / "HEAD")
    progress = Watching()
    timer = threading.Timer(0.5, progress.cancelled.set)
    timer.start()
    with pytest.raises(Cancelled):
        GitSource(f"file://{root}").fetch(tmp_path / "c", progress)
    timer.join()
    assert not any(path.name.startswith("c") for path in tmp_path.iterdir())
    assert not [path for path in Path("/proc").glob("[0-9]*") if str(root) in _command_line(path.name)]


def _command_line(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""
