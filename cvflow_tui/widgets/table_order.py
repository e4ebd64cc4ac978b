"""Which rows of a table are shown, and in what order; no screen in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Order(Generic[T]):
    """A view of `items`: filtered by words, sorted by a key. Holds indices, never copies of rows.

    `search` gives a row's text for the filter; it is asked once a row, when a filter is first set.
    """

    def __init__(self, items: Sequence[T], search: Callable[[T], str] | None = None) -> None:
        self.items = items
        self.query = ""
        self.sort_column: int | None = None
        self.reverse = False
        self._search = search
        self._texts: list[str] | None = None
        self._sorted: Sequence[int] = range(len(items))
        self._shown: Sequence[int] = self._sorted

    @property
    def is_changed(self) -> bool:
        """Whether a filter or an order stands between the items and what is shown."""
        return bool(self.query.strip()) or self.sort_column is not None or self.reverse

    def __len__(self) -> int:
        return len(self._shown)

    def __getitem__(self, row: int) -> T:
        return self.items[self._shown[row]]

    def replace(self, items: Sequence[T], key: Callable[[T], Any] | None) -> None:
        """Other rows, under the same filter and order."""
        self.items = items
        self._texts = None
        self.sort(key)

    def sort(self, key: Callable[[T], Any] | None) -> None:
        """Order by `key` (None: as the rows came), turned round with `reverse`."""
        count = range(len(self.items))
        if key is None:
            self._sorted = range(len(self.items) - 1, -1, -1) if self.reverse else count
        else:
            keys = [key(item) for item in self.items]
            self._sorted = sorted(count, key=keys.__getitem__, reverse=self.reverse)
        self.filter(self.query)

    def filter(self, query: str) -> None:
        """Show the rows that hold every word of `query` and none that follows a `!`, whatever the case."""
        self.query = query
        wanted, unwanted = words_of(query)
        if not wanted and not unwanted:
            self._shown = self._sorted
            return
        texts = self._all_texts()
        shown = self._sorted
        for word in wanted:
            shown = [index for index in shown if word in texts[index]]
        for word in unwanted:
            shown = [index for index in shown if word not in texts[index]]
        self._shown = shown

    def position(self, test: Callable[[T], bool], otherwise: int) -> int:
        """The first row shown that passes the test, or `otherwise`."""
        for row, index in enumerate(self._shown):
            if test(self.items[index]):
                return row
        return otherwise

    def _all_texts(self) -> list[str]:
        if self._texts is None:
            search = self._search or str
            self._texts = [search(item).lower() for item in self.items]
        return self._texts


def words_of(query: str) -> tuple[list[str], list[str]]:
    """(words wanted, words unwanted) of a filter, in lower case; a lone `!` is nothing yet."""
    words = query.lower().split()
    return [word for word in words if not word.startswith("!")], [word[1:] for word in words if len(word) > 1 and word.startswith("!")]
