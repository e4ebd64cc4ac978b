"""A file from one address: as many connections as it takes, as long as each brings something."""

from __future__ import annotations

from pathlib import Path

import httpx

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.downloads.calling_off import Shutter
from cvflow_tui.backend.packages.downloads.client import open_client
from cvflow_tui.backend.packages.downloads.journal import Journal, drop, origin_of, read_journal
from cvflow_tui.backend.packages.downloads.outbound import Outbound
from cvflow_tui.backend.packages.downloads.pieces import Pieces, fits
from cvflow_tui.backend.packages.downloads.received import Received, size_of
from cvflow_tui.backend.packages.downloads.transfer import LargeError, Transfer
from cvflow_tui.backend.packages.downloads.wanted import ChangedError, CutError, Wanted, unreachable

STALL_SECONDS = 30.0
"""How long a server may send nothing before the connection is given up for a new one."""
RETRIES = 4
"""Attempts in a row that may bring nothing new before a download gives up."""


class Fetching:
    """Fetches `wanted` from one address into its part file, going on with what is there of it."""

    def __init__(self, wanted: Wanted, url: str, part: Path, progress: Progress) -> None:
        self._wanted = wanted
        self._url = url
        self._part = part
        self._progress = progress
        self._whole = False
        """Whether this server has shown that it does not send parts properly."""

    def run(self, outbound: Outbound, cert: str | None) -> Received:
        """Receive to the end. Raises RemoteError once it cannot be had, with what arrived kept."""
        failures, most = 0, self._there()
        with open_client(outbound, STALL_SECONDS, cert) as client:
            while True:
                # Of an earlier attempt: with the wrong digest at the end, it may have been another file's.
                old = self._there() > 0
                try:
                    received = self._attempt(client)
                except (httpx.TransportError, httpx.StreamError, CutError, ChangedError) as error:
                    self._progress.check()
                    if isinstance(error, ChangedError):
                        self._drop()
                    # More than ever before, or it counts: a server that lies of its length would be asked for ever.
                    failures = 0 if self._there() > most else failures + 1
                    most = max(most, self._there())
                    if failures > RETRIES or "CERTIFICATE_VERIFY_FAILED" in str(error):
                        raise unreachable(self._url, error) from error
                    self._progress.cancelled.wait(min(8.0, 0.1 * 2**failures))
                    self._progress.check()
                    continue
                except (httpx.HTTPError, httpx.InvalidURL) as error:
                    raise unreachable(self._url, error) from error
                if old and self._wanted.sha256 not in (None, received.sha256):
                    self._drop()
                    continue
                return received

    def _attempt(self, client: httpx.Client) -> Received:
        journal = read_journal(self._part, digest_known=self._wanted.sha256 is not None)
        if journal is not None and journal.is_parallel:
            journal = self._ours(journal)
            if journal is not None:
                return self._pieces(client, journal)
            self._drop()
        with Shutter(self._progress.cancelled.is_set) as shutter:
            try:
                return Transfer(client, self._wanted, self._url, self._part, self._progress, shutter).run(whole=self._whole)
            except LargeError as error:
                journal = error.journal
        return self._pieces(client, journal)

    def _pieces(self, client: httpx.Client, journal: Journal) -> Received:
        try:
            return Pieces(client, self._wanted, self._url, self._part, journal, self._progress).run()
        except ChangedError:
            self._whole = True
            raise

    def _ours(self, journal: Journal) -> Journal | None:
        """A parallel journal to go on with from this address, or None."""
        if not fits(journal) or size_of(self._part) != journal.size:
            return None
        if journal.origin != origin_of(self._url):
            if self._wanted.sha256 is None:
                return None
            journal.origin, journal.validator = origin_of(self._url), None
        return journal

    def _there(self) -> int:
        """Bytes that are here of it."""
        journal = read_journal(self._part, digest_known=self._wanted.sha256 is not None)
        if journal is not None and journal.pieces is not None:
            return sum(journal.pieces.values())
        return size_of(self._part)

    def _drop(self) -> None:
        drop(self._part.with_name(self._part.name.removesuffix(".part")))
