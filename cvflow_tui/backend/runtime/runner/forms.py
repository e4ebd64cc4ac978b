"""Bodies of `POST /infer`: the raw picture, or the original multipart form. Streamed into the upload, never held whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

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
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import parse_options_header

    _, options = parse_options_header(incoming.header(b"content-type"))
    boundary = options.get(b"boundary")
    if not boundary:
        raise bad_input("the form has no boundary")
    form = _Form(limits)
    parser = form.parser(boundary)
    try:
        more = True
        while more:
            piece, more = await incoming.piece()
            if piece:
                parser.write(piece)
                await _drain(form, upload)
        parser.finalize()
    except FormParserError as error:
        raise bad_input(f"the form is broken: {error}") from error
    if not form.complete:
        raise bad_input("the form is broken: it ends too early")
    if not form.has_file:
        raise bad_input("the form has no part named 'file'")
    return {name: value.decode("utf-8", "replace") for name, value in form.fields.items()}


async def _drain(form: _Form, upload: Upload) -> None:
    pieces, form.pieces = form.pieces, []
    for piece in pieces:
        await upload.write(piece)


@dataclass
class _Form:
    """What the parser's callbacks gather."""

    limits: Limits
    fields: dict[str, bytes] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)
    has_file: bool = False
    complete: bool = False
    _parts: int = 0
    _header: bytes = b""
    _value: bytes = b""
    _name: str | None = None
    _is_file: bool = False

    def parser(self, boundary: bytes) -> MultipartParser:
        from python_multipart.multipart import MultipartParser

        return MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_begin": self._header_begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_end": self._end,
            },
        )

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > self.limits.fields:
            raise too_large(f"the form has more than {self.limits.fields} parts")
        self._name, self._is_file = None, False

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
        if self._header.lower() == b"content-disposition":
            from python_multipart.multipart import parse_options_header

            _, options = parse_options_header(self._value)
            self._name = options.get(b"name", b"").decode("utf-8", "replace")

    def _headers_finished(self) -> None:
        if self._name is None:
            raise bad_input("a part of the form has no name")
        # The file's own name is not looked at: what a client calls its file is no business of this machine's.
        self._is_file = self._name == "file"
        if self._is_file:
            if self.has_file:
                raise bad_input("the form has more than one part named 'file'")
            self.has_file = True
        else:
            self.fields[self._name] = b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self.pieces.append(data[start:end])
            return
        assert self._name is not None
        value = self.fields[self._name] + data[start:end]
        if len(value) > self.limits.field:
            raise too_large(f"field {self._name[:60]!r} is longer than {self.limits.field} bytes")
        self.fields[self._name] = value

    def _end(self) -> None:
        self.complete = True
