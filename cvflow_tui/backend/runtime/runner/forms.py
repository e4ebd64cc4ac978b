"""Bodies of `POST /infer`: the raw picture, or the original multipart form. Streamed into the upload, never held whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from cvflow_tui.backend.runtime.runner.faults import bad_input, too_large
from cvflow_tui.backend.runtime.runner.incoming import Incoming
from cvflow_tui.backend.runtime.runner.limits import Limits
from cvflow_tui.backend.runtime.runner.scratch import Upload

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartParser


async def receive_raw(incoming: Incoming, upload: Upload) -> None:
    """The whole body is the picture."""
    more = True
    while more:
        piece, more = await incoming.piece()
        if piece:
            await upload.write(piece)


async def receive_form(incoming: Incoming, upload: Upload, limits: Limits) -> dict[str, str]:
    """A multipart form: part `file` into the upload, the text fields returned. Raises Fault 400 for a form that is none."""
    form = OneFile(limits)

    async def drain() -> None:
        pieces, form.pieces = form.pieces, []
        for piece in pieces:
            await upload.write(piece)

    await feed(incoming, form, drain)
    if not form.has_file:
        raise bad_input("the form has no part named 'file'")
    return form.parameters


async def feed(incoming: Incoming, form: Parts, drain: Callable[[], Awaitable[None]]) -> None:
    """The body through the form, piece by piece; after each, `drain` takes out what came. Raises Fault 400 for a form that is none."""
    from python_multipart.exceptions import FormParserError

    parser = form.parser(incoming.header(b"content-type"))
    try:
        more = True
        while more:
            piece, more = await incoming.piece()
            if piece:
                try:
                    parser.write(piece)
                finally:  # what came before a mistake came whole
                    await drain()
        parser.finalize()
    except FormParserError as error:
        raise bad_input(f"the form is broken: {error}") from error
    if not form.complete:
        raise bad_input("the form is broken: it ends too early")


class Parts(ABC):
    """The parts of a multipart form as they come: their headers bounded, what they hold handed to whoever derives from this."""

    with_types = False
    """Whether `content_type` and `filename` are looked at; a form of one picture is on the way that counts."""

    def __init__(self, limits: Limits, most: int) -> None:
        self.limits = limits
        self.complete = False
        self.name = ""
        self.filename: str | None = None
        self.content_type = ""
        self._most = most
        self._parts = 0
        self._header = b""
        self._value = b""
        self._named = False
        self._options: Callable[[bytes], tuple[bytes, dict[bytes, bytes]]]

    def parser(self, content_type: str | None) -> MultipartParser:
        """What feeds it. Raises Fault 400 for a form without a boundary."""
        from python_multipart.exceptions import FormParserError
        from python_multipart.multipart import MultipartParser, parse_options_header

        self._options = parse_options_header
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise bad_input("the form has no boundary")
        callbacks: dict[str, Any] = {
            "on_part_begin": self._begin,
            "on_header_begin": self._header_begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self.data,
            "on_end": self._end,
        }
        if self.with_types:
            callbacks["on_part_end"] = self.ended
        try:
            return MultipartParser(boundary, cast(Any, callbacks))
        except FormParserError as error:
            raise bad_input(f"the form is broken: {error}") from error

    @abstractmethod
    def began(self) -> None:
        """A part begins: `name`, `filename` and `content_type` are its own."""

    @abstractmethod
    def data(self, data: bytes, start: int, end: int) -> None:
        """Some of a part."""

    def ended(self) -> None:
        """The part is whole (told `with_types` only): nothing, for whoever does not care."""
        return

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > self._most:
            raise too_large(f"the form has more than {self._most} parts")
        self._named, self.name, self.filename, self.content_type = False, "", None, ""

    def _header_begin(self) -> None:
        self._header = self._value = b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]
        self._check_header()

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._check_header()

    def _check_header(self) -> None:
        if len(self._header) + len(self._value) > 8192:
            raise too_large("a part's header is longer than 8192 bytes")

    def _header_end(self) -> None:
        header = self._header.lower()
        if header == b"content-disposition":
            _, options = self._options(self._value)
            self._named, self.name = b"name" in options, options.get(b"name", b"").decode("utf-8", "replace")
            if self.with_types:
                self.filename = options[b"filename"].decode("utf-8", "replace") if b"filename" in options else None
        elif self.with_types and header == b"content-type":
            self.content_type = self._value.decode("latin-1").partition(";")[0].strip().lower()

    def _headers_finished(self) -> None:
        if not self._named:
            raise bad_input("a part of the form has no name")
        self.began()

    def _end(self) -> None:
        self.complete = True


class Fields(Parts):
    """Text fields, and what is kept of the parts that are files."""

    def __init__(self, limits: Limits, most: int) -> None:
        super().__init__(limits, most)
        self.fields: dict[str, bytes] = {}
        self.before: dict[str, list[bytes]] = {}
        """What fields that came more than once held, without the last."""

    def began_text(self) -> None:
        """A text field begins."""
        if self.name in self.fields:
            self.before.setdefault(self.name, []).append(self.fields[self.name])
        self.fields[self.name] = b""

    def text(self, data: bytes, start: int, end: int) -> None:
        """Some of a text field."""
        value = self.fields[self.name] + data[start:end]
        if len(value) > self.limits.field:
            raise too_large(f"field {self.name[:60]!r} is longer than {self.limits.field} bytes; a picture goes into the part 'file'")
        self.fields[self.name] = value

    @property
    def parameters(self) -> dict[str, Any]:
        """The text fields: texts, or the list of them for one that came more than once."""
        found: dict[str, Any] = {name: value.decode("utf-8", "replace") for name, value in self.fields.items()}
        return found | {
            name: [*(each.decode("utf-8", "replace") for each in before), found[name]] for name, before in self.before.items() if before
        }


class OneFile(Fields):
    """Fields and, perhaps, the part `file`."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits, limits.fields)
        self.pieces: list[bytes] = []
        self.has_file = False
        self._is_file = False

    def began(self) -> None:
        """A part begins."""
        # The file's own name is not looked at: what a client calls its file is no business of this machine's.
        self._is_file = self.name == "file"
        if self._is_file:
            if self.has_file:
                raise bad_input("the form has more than one part named 'file'")
            self.has_file = True
        else:
            self.began_text()

    def data(self, data: bytes, start: int, end: int) -> None:
        """Some of a part."""
        if self._is_file:
            self.pieces.append(data[start:end])
        else:
            self.text(data, start, end)
