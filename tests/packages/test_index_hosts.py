"""Which hosts a package index may lead to, in a network where everything stands inside."""

from __future__ import annotations

from cvflow_tui.backend.packages.pip_config import PipConfig
from cvflow_tui.backend.packages.pypi import Archive, hosts_of


def test_an_archive_is_fetched_from_where_the_users_own_index_says_it_lies() -> None:
    pip = PipConfig("https://mirror.corp/simple", ("https://second.corp/simple",))
    assert hosts_of(Archive("w.whl", "https://files.corp/w.whl"), pip) == {"mirror.corp", "second.corp", "files.corp"}


def test_a_file_has_no_host() -> None:
    assert hosts_of(Archive("w.whl", "file:///w.whl"), PipConfig("https://mirror.corp/simple")) == {"mirror.corp"}
