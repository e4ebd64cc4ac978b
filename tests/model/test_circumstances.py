"""What goes with a request beside it: which variables, as whose, and how they are read from a header."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvflow_tui.model.circumstances import NOTHING_TOLD, Circumstances, is_of_a_command
from cvflow_tui.model.errors import UsageError

ENVIRON = {"PIP_INDEX_URL": "https://me:secret@index/simple", "https_proxy": "proxy:1", "AWS_SECRET": "x", "HOME": "/h", "PATH": "/bin"}


def test_only_what_fetching_needs_is_taken_and_nothing_shows_it() -> None:
    here = Circumstances.of(ENVIRON, Path("/"))
    assert set(here.variables) == {"PIP_INDEX_URL", "https_proxy", "HOME"} and "secret" not in repr(here)
    assert Circumstances.read(here.header) == here and here.header.isascii()


def test_files_are_named_as_seen_from_anywhere() -> None:
    told = {"PIP_CERT": "ca.pem", "SSL_CERT_FILE": "/etc/ca.pem", "PIP_FIND_LINKS": "wheels https://x/links", "PIP_CONFIG_FILE": ""}
    found = Circumstances.of(told, Path("/here")).variables
    assert found == {**told, "PIP_CERT": "/here/ca.pem", "PIP_FIND_LINKS": "/here/wheels https://x/links"}


def test_a_program_sees_the_callers_and_none_of_our_own() -> None:
    ours = {"PATH": "/bin", "HTTPS_PROXY": "http://ours", "PIP_CERT": "/ours", "CVFLOW_OFFLINE": "1"}
    caller = Circumstances.of({"HTTPS_PROXY": "http://theirs", "HOME": "/theirs", "PIP_CERT": "/c"}, Path("/"))
    assert caller.over(ours) == {"PATH": "/bin", "HTTPS_PROXY": "http://theirs", "PIP_CERT": "/c"}
    assert caller.over(ours, ("HTTPS_PROXY",)) == {"PATH": "/bin", "HTTPS_PROXY": "http://theirs"}
    assert NOTHING_TOLD.over(ours) == {"PATH": "/bin"}


def test_the_name_of_a_proxy_in_small_letters_counts_first() -> None:
    told = Circumstances.of({"HTTP_PROXY": "a", "http_proxy": "b", "ALL_PROXY": "c", "https_proxy": " ", "NO_PROXY": "x"}, Path("/"))
    assert told.proxies == {"http": "b", "all": "c", "no": "x"}
    assert told.kept_offline(True).offline and not told.kept_offline(False).offline


@pytest.mark.parametrize(
    "header", ["", "x", "[]", '{"PATH": "/evil"}', '{"PIP_CERT": 1}', '{"PIP_CERT": "a\\u0000"}', '{"PIP_CERT": "\\ud800"}', "[" * 9999]
)
def test_a_header_that_is_none_is_refused_without_being_repeated(header: str) -> None:
    with pytest.raises(UsageError) as caught:
        Circumstances.read(header)
    assert "evil" not in caught.value.message


@given(
    st.dictionaries(
        st.sampled_from(["PIP_INDEX_URL", "NO_PROXY", "CVFLOW_OFFLINE"]), st.text(st.characters(codec="utf-8", exclude_characters="\0"))
    )
)
def test_whatever_an_environment_holds_goes_through_a_header(told: dict[str, str]) -> None:
    assert Circumstances.read(json.dumps(told)).variables == told and all(map(is_of_a_command, told))
