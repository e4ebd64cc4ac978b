"""A README as calm text. No HTML, no links that open, no escapes: what is not understood is shown as it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from cvflow_tui.model.text import clean

if TYPE_CHECKING:
    from markdown_it.token import Token

HEADING, CODE, FAINT = "bold $accent", "$muted", "$muted"
LIMIT = 60_000
"""Characters of a README that are read; the rest is on the package's own page."""


def readme(text: str) -> Content:
    """The Markdown text as styled lines."""
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark", {"html": False}).enable("table").parse(clean(text)[:LIMIT])
    return _Writer().write(tokens)


class _Writer:
    """Walks the tokens of markdown-it and keeps track of lists and quotes."""

    def __init__(self) -> None:
        self._lines: list[Content] = []
        self._lists: list[int | None] = []
        self._quotes = 0
        self._bullet = ""
        self._style = ""
        self._cells: list[Content] | None = None
        self._titles: list[Content] | None = None
        self._rows = 0

    def write(self, tokens: list[Token]) -> Content:
        """All tokens, joined into one text."""
        for token in tokens:
            self._block(token)
        while self._lines and not self._lines[-1].plain:
            self._lines.pop()
        return Content("\n").join(self._lines)

    def _block(self, token: Token) -> None:
        kind = token.type
        if kind == "heading_open":
            self._gap()
            self._style = HEADING
        elif kind in ("bullet_list_open", "ordered_list_open"):
            self._lists.append(1 if kind.startswith("ordered") else None)
        elif kind in ("bullet_list_close", "ordered_list_close"):
            self._lists.pop()
        elif kind == "list_item_open":
            self._bullet = self._next_bullet()
        elif kind in ("blockquote_open", "blockquote_close"):
            self._quotes += 1 if kind.endswith("open") else -1
        elif kind == "table_open":
            self._titles, self._rows = None, 0
        elif kind == "tr_open":
            self._cells = []
        elif kind == "tr_close":
            self._row(self._cells or [])
            self._cells = None
        else:
            self._leaf(token)

    def _row(self, cells: list[Content]) -> None:
        """A row as a few lines, each cell after its column's title: side by side they find no room in a pane."""
        if self._titles is None:
            self._titles = cells
            return
        self._rows += 1
        for number, (title, cell) in enumerate(zip(self._titles, cells, strict=False)):
            if number == 0:
                self._add(Content.styled("• ", FAINT) + cell)
            elif cell.plain:
                self._add(Content("  ") + (Content.styled(f"{title.plain}: ", FAINT) if title.plain else Content("")) + cell)

    def _leaf(self, token: Token) -> None:
        kind = token.type
        if kind == "inline":
            content = _inline(token.children or [], self._style)
            if self._cells is not None:
                self._cells.append(content)
            else:
                self._add(content)
        elif kind in ("fence", "code_block"):
            self._add(*(Content.styled(f"    {line}", CODE) for line in token.content.rstrip("\n").split("\n")))
            self._gap()
        elif kind == "hr":
            self._add(Content.styled("─" * 24, FAINT))
        elif kind in ("heading_close", "paragraph_close", "table_close"):
            if kind == "table_close" and not self._rows:
                self._add(Content(" · ").join(self._titles or []))
            self._style = ""
            if not self._lists:
                self._gap()
        elif kind == "html_block":
            self._add(Content(token.content.rstrip("\n")))

    def _next_bullet(self) -> str:
        number = self._lists[-1] if self._lists else None
        if number is None:
            return "• "
        self._lists[-1] = number + 1
        return f"{number}. "

    def _add(self, *lines: Content) -> None:
        indent = "  " * max(0, len(self._lists) - 1)
        for line in lines:
            for part in line.split("\n", allow_blank=True):
                lead = "│ " * self._quotes + indent + (self._bullet or ("  " if self._lists else ""))
                self._lines.append(Content.styled(lead, FAINT) + part if lead else part)
                self._bullet = ""

    def _gap(self) -> None:
        if self._lines and self._lines[-1].plain:
            self._lines.append(Content(""))


def _inline(tokens: list[Token], base: str) -> Content:
    """A run of text with its bold, italic and code parts; a link is followed by where it leads."""
    parts: list[tuple[str, str]] = []
    styles = [base] if base else []
    links: list[str] = []
    for token in tokens:
        if token.type in ("strong_open", "em_open"):
            styles.append("bold" if token.type == "strong_open" else "italic")
        elif token.type in ("strong_close", "em_close"):
            styles.pop()
        elif token.type == "link_open":
            links.append(str(token.attrGet("href") or ""))
        elif token.type == "link_close":
            parts.append((f" ({links.pop()})", FAINT))
        elif token.type in ("softbreak", "hardbreak"):
            parts.append((" " if token.type == "softbreak" else "\n", ""))
        elif token.type == "code_inline":
            parts.append((token.content, CODE))
        elif token.type == "image":
            parts.append((f"[picture: {token.content}]", FAINT))
        else:
            parts.append((token.content, " ".join(styles)))
    return Content.assemble(*(Content.styled(text, style) if style else Content(text) for text, style in parts))
