"""What every protocol does with a picture: receive it, look at its header, put it to a lane, wait for the answer."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from starlette.types import Scope

from cvflow_tui.backend.runtime.link import CallFailed, CallTimeout, WorkerGone
from cvflow_tui.backend.runtime.runner.faults import Fault, bad_input, busy, gone, late, solver_failed, too_large
from cvflow_tui.backend.runtime.runner.forms import receive_form, receive_raw
from cvflow_tui.backend.runtime.runner.incoming import WAITING, Incoming
from cvflow_tui.backend.runtime.runner.lane import Lane, Unavailable
from cvflow_tui.backend.runtime.runner.pictures import Bomb, oversize, quick_facts, slow_facts
from cvflow_tui.backend.runtime.runner.protocols.original import may_lack_picture, receive_original, speaks_original
from cvflow_tui.backend.runtime.runner.scratch import Upload
from cvflow_tui.backend.runtime.runner.service import Service
from cvflow_tui.model.text import one_line

VARIANT = b"x-cvflow-variant"
TIMEOUT = b"x-cvflow-timeout"
PREFER = b"prefer"
LONGEST_WAIT = 3600.0
"""The longest time-out that can be asked for, in seconds."""


class Wishes(NamedTuple):
    """How a client wants to be answered."""

    timeout: float | None = None
    """Seconds after which it wants an answer no more."""
    later: bool = False
    """It wants a job's address now and the answer later (`Prefer: respond-async`)."""


NO_WISHES = Wishes()


def wishes(incoming: Incoming) -> Wishes:
    """Read `X-CVFlow-Timeout: SECONDS` and `Prefer: respond-async, wait=SECONDS` (RFC 7240). Raises Fault 400."""
    told, preferences = incoming.header(TIMEOUT), incoming.header(PREFER)
    if told is None and preferences is None:
        return NO_WISHES
    preferred = [word.strip().lower() for word in (preferences or "").split(",")]
    waits = [word.partition("=")[2].strip() for word in preferred if word.partition("=")[0].strip() == "wait"]
    timeout = _seconds("X-CVFlow-Timeout", told) if told is not None else None
    if timeout is None and waits:
        timeout = _seconds("Prefer: wait", waits[0])
    return Wishes(timeout, "respond-async" in preferred)


def _seconds(name: str, told: str) -> float:
    try:
        seconds = float(told)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= LONGEST_WAIT:
        raise bad_input(f"{name} must be a number of seconds above 0 and up to {LONGEST_WAIT:g}, not {told[:40]!r}")
    return seconds


def admit(service: Service, lane: Lane) -> None:
    """Refuse what could only wait in vain. Raises Fault 503."""
    if service.receiving > service.limits.receiving:
        raise busy("too many requests are being received", service.pause(lane))
    if lane.waiting >= service.limits.queue:
        raise busy("too many requests are waiting", service.pause(lane))


def expected_size(incoming: Incoming, limit: int) -> int:
    """How long the body will be, at most `limit`. Raises Fault 413."""
    told = incoming.header(b"content-length")
    if told is None:
        return limit
    expected = int(told) if told.isdecimal() and len(told) < 20 else limit
    if expected > limit + 64 * 1024:  # a form has a little around the picture
        raise too_large(f"the body is {expected} bytes; at most {limit} are taken")
    return expected


async def receive_picture(service: Service, incoming: Incoming, upload: Upload, expected: int) -> dict[str, Any]:
    """A raw or multipart body into the upload; the parameters. Raises Fault."""
    limits = service.limits
    if incoming.whole:
        parameters = await _receive(service, incoming, upload)
    else:
        patience = min(limits.upload_seconds, limits.grace_seconds + expected / limits.slowest)
        try:
            async with asyncio.timeout(patience):
                parameters = await _receive(service, incoming, upload)
        except TimeoutError:
            raise Fault(408, "the body did not arrive in time", "usage") from None
    upload.complete()
    return parameters


async def _receive(service: Service, incoming: Incoming, upload: Upload) -> dict[str, Any]:
    incoming.plain()
    kind = incoming.content_type
    parameters = incoming.query()
    if speaks_original(service, kind):
        parameters.update(await receive_original(service, incoming, upload))
    elif kind == "multipart/form-data":
        parameters.update(await receive_form(incoming, upload, service.limits))
    elif kind.startswith("image/") or kind == "application/octet-stream":
        await receive_raw(incoming, upload)
    else:
        raise Fault(415, f"a body of type {kind[:60]!r} is not taken; send image/* or a multipart form", "usage")
    return parameters


async def look(service: Service, upload: Upload) -> tuple[int, int] | None:
    """The picture's displayed size. Raises Fault 400 for what is none (task `other` may take other files), 413 for a bomb."""
    if upload.size == 0 and may_lack_picture(service):
        return None
    if upload.size == 0:
        raise bad_input("the picture is empty")
    limits = service.limits
    try:
        facts = quick_facts(upload.descriptor, limits.inflated) or await asyncio.to_thread(slow_facts, upload.descriptor)
    except Bomb as error:
        raise too_large(f"the picture is refused: {error}") from None
    if facts is None:
        if service.spec.task == "other":
            return None
        raise bad_input("the picture can't be read: this is no picture format we know")
    if (refusal := oversize(facts, limits)) is not None:
        raise too_large(refusal)
    return facts.size


async def ask(
    lane: Lane,
    upload: Upload,
    size: tuple[int, int] | None,
    parameters: Mapping[str, Any],
    *,
    scope: Scope | None = None,
    timeout: float | None = None,
) -> Any:
    """The solver's answer. Raises Fault: 400 or 500 as the solver failed, 503 where it can't answer, 504 after `timeout` seconds.

    With a `scope`, a client that goes away takes its picture back from the queue.
    """
    try:
        reply = lane.submit(upload.path, size, parameters)
        if scope is not None:
            scope[WAITING] = reply
        return await (reply if timeout is None else asyncio.wait_for(reply, timeout))
    except (Unavailable, WorkerGone, CallFailed) as error:
        raise fault_of(error, upload.path) from None
    except TimeoutError:
        upload.leave()
        raise late(f"the solver did not answer within {timeout:g} s") from None
    except asyncio.CancelledError:
        upload.leave()
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise gone() from None


def fault_of(error: BaseException, picture: str) -> Fault:
    """What the end of a request at the lane is to whoever asked: 400 or 500 as the solver failed, 499, 503, 504. Raises what is none."""
    if isinstance(error, CallTimeout):
        return late(str(error))
    if isinstance(error, Unavailable):
        return busy(str(error), error.pause)
    if isinstance(error, WorkerGone):
        return busy(str(error))
    if isinstance(error, CallFailed):
        # The private path of the upload is nobody's business; the sender knows it as "the picture".
        message = one_line(str(error).replace(picture, "the picture"), 500)
        return bad_input(message) if error.kind == "input" else solver_failed(message)
    if isinstance(error, asyncio.CancelledError):
        return gone()
    raise error


_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def encode(result: Any) -> bytes:
    """A result as JSON."""
    return _encoder.encode(result).encode("utf-8", "replace")
