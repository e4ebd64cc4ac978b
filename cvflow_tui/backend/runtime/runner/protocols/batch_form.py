"""The form of a batch as it comes in: fields, then pictures that are handed on at once, or a CSV and the pictures that its rows name.

Or no form, but the table alone.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

from cvflow_tui.backend.runtime.runner.faults import Fault, bad_input, too_large
from cvflow_tui.backend.runtime.runner.forms import Fields
from cvflow_tui.backend.runtime.runner.incoming import Incoming
from cvflow_tui.backend.runtime.runner.limits import Limits
from cvflow_tui.backend.runtime.runner.protocols.cells import read_lines, read_rows
from cvflow_tui.backend.runtime.runner.protocols.lines import Pictures
from cvflow_tui.backend.runtime.runner.scratch import Upload
from cvflow_tui.backend.runtime.runner.service import Service

_TABLE_BYTES = 64 * 1024 * 1024
CSV_TYPES = ("text/csv", "application/csv", "application/vnd.ms-excel")
LINE_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")


class BatchForm(Fields):
    """The parts of a batch: fields first, then pictures (or a CSV and its pictures)."""

    with_types = True

    def __init__(self, service: Service, pictures: Pictures) -> None:
        limits: Limits = service.limits
        super().__init__(limits, limits.batch + limits.fields)
        self.decided = asyncio.Event()
        """Set once the first file's kind is known, or the form is over."""
        self.has_rows = False
        """Whether it is a table: its rows are the questions."""
        self.started = False
        self.rows: list[dict[str, str]] = []
        self.uploads: dict[str, Upload] = {}
        self.files = ExitStack()
        self._service = service
        self._pictures = pictures
        self._table = bytearray()
        self._events: list[tuple[str, bytes | str | None]] = []
        self._upload: Upload | None = None
        self._upload_name: str | None = None
        self._fault: Fault | None = None
        self._state = "field"

    def began(self) -> None:
        """A field, the CSV, or a picture."""
        if self.filename is None and self.name != "file":
            if self.started or self.has_rows:
                raise bad_input(f"field {self.name[:60]!r} comes after a file: fields come first, they hold for every picture")
            if len(self.fields) >= self.limits.fields:
                raise too_large(f"the form has more than {self.limits.fields} fields")
            self._state = "field"
            self.fields[self.name] = b""  # one that comes again holds for the pictures behind it
            return
        table = self.content_type in CSV_TYPES or (self.filename or "").lower().endswith(".csv")
        if table and not self.started and not self.has_rows:
            self.has_rows, self._state = True, "table"
        else:
            self._state = "picture"
            self.started = True
            self._events.append(("begin", self.filename))
        self.decided.set()

    def data(self, data: bytes, start: int, end: int) -> None:
        """Some of it."""
        if self._state == "field":
            self.text(data, start, end)
        elif self._state == "table":
            self._more_table(data[start:end])
        else:
            self._events.append(("data", data[start:end]))

    def ended(self) -> None:
        """A picture is whole."""
        if self._state == "picture":
            self._events.append(("end", None))

    async def drain(self) -> None:
        """Do what the parser has found."""
        events, self._events = self._events, []
        for kind, content in events:
            if kind == "begin":
                self._upload = self._service.scratch.file(self.limits.body, self.limits.body)
                self._upload_name, self._fault = str(content) if content is not None else None, None
            elif kind == "data" and self._upload is not None and self._fault is None:
                assert isinstance(content, bytes)
                try:
                    await self._upload.write(content)
                except Fault as fault:
                    self._fault = fault
            elif kind == "end":
                await self._picture()

    async def _picture(self) -> None:
        upload, self._upload, name = self._upload, None, self._upload_name
        assert upload is not None
        upload.complete()
        if self._fault is not None:
            self._service.scratch.retire(upload)
            if self.has_rows:
                raise self._fault
            await self._pictures.refuse(name, self._fault)
        elif not self.has_rows:
            await self._pictures.add(name, upload, self.parameters)
        else:
            self.files.enter_context(upload)
            if name is None or name in self.uploads:
                raise bad_input(f"two pictures of the form have the file name {str(name)[:100]!r}")
            if len(self.uploads) >= self.limits.fields:
                raise too_large(f"the form has more than {self.limits.fields} pictures beside its CSV")
            self.uploads[name] = upload

    async def whole(self) -> None:
        """The form has come to its end."""
        if not self.has_rows and not self.started:
            raise bad_input("no file part!")
        if self.has_rows:
            self.rows = await asyncio.to_thread(read_rows, bytes(self._table), self.limits.batch)

    async def take(self, incoming: Incoming) -> None:
        """Instead of a form: the body itself is the table, its kind told by its type; the query's fields hold for every row."""
        self.has_rows = True
        read = read_lines if incoming.content_type in LINE_TYPES else read_rows
        for name, value in incoming.query().items():
            texts = [text.encode() for text in (value if isinstance(value, list) else [value])]
            self.fields[name], self.before[name] = texts[-1], texts[:-1]
        more = True
        while more:
            piece, more = await incoming.piece()
            self._more_table(piece)
        self.rows = await asyncio.to_thread(read, bytes(self._table), self.limits.batch)

    def _more_table(self, data: bytes) -> None:
        self._table += data
        if len(self._table) > _TABLE_BYTES:
            raise too_large(f"the table is larger than {_TABLE_BYTES} bytes")

    def give_up(self) -> None:
        """Remove a picture that did not come to its end."""
        if self._upload is not None:
            self._service.scratch.retire(self._upload)
            self._upload = None
