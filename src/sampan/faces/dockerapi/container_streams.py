"""What containers say and hear: logs, attach (also over WebSocket), terminal sizes, statistics."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote_plus

from sampan.engine.containers.contract import AttachOptions, LogEntry, LogOptions, Session
from sampan.engine.contract import InvalidConfiguration, NotFound
from sampan.faces.dockerapi import detach_keys, hijacking, multiplexing, statistics_document, times
from sampan.faces.dockerapi.call import Call, answer, done, encoded
from sampan.faces.dockerapi.hijacking import Streams
from sampan.faces.dockerapi.router import Route
from sampan.foundation.tasks import until_first_ends
from sampan.foundation.wire.message import Response, WebSocket

SAMPLE_SECONDS = 1.0


async def logs(call: Call) -> Response:
    options = _log_options(call)
    if not (options.stdout or options.stderr):
        raise InvalidConfiguration("Bad parameters: you must choose at least one stream")
    container = await call.engine.containers.inspect(call.name)
    terminal = container.configuration.terminal
    entries = call.engine.containers.logs(container.identifier, options)
    headers = {"Content-Type": multiplexing.content_type(call.version, terminal=terminal)}
    body = _lines(
        entries,
        timestamps=call.flag("timestamps"),
        details=call.flag("details"),
        terminal=terminal,
    )
    return Response(headers=headers, body=body)


def _log_options(call: Call) -> LogOptions:
    now = time.time_ns()
    tail = call.text("tail", "all")
    return LogOptions(
        stdout=call.flag("stdout"),
        stderr=call.flag("stderr"),
        since=times.read(call.text("since"), now),
        until=times.read(call.text("until"), now),
        tail=int(tail) if tail.isdecimal() and len(tail) < 16 else None,
        follow=call.flag("follow"),
    )


async def _lines(
    entries: AsyncIterator[LogEntry], *, timestamps: bool, details: bool, terminal: bool
) -> AsyncIterator[bytes]:
    begins = True
    async for entry in entries:
        data = entry.data
        if details and begins:
            data = _details(entry.attributes).encode() + b" " + data
        if timestamps and begins:
            data = times.padded(entry.time).encode() + b" " + data
        begins = entry.data.endswith(b"\n")
        yield data if terminal else multiplexing.frame(entry.stream, data)


def _details(attributes: Mapping[str, str]) -> str:
    pairs = sorted(attributes.items())
    return ",".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)


async def attach(call: Call) -> Response:
    # Some libraries say the options again in a body, which is no input of the command.
    await call.request.read_body()
    streams, terminal = await _attached(call)
    return hijacking.response(call, streams, terminal=terminal)


async def _attached(call: Call) -> tuple[Streams, bool]:
    keys = detach_keys.parsed(call.text("detachKeys"))
    container = await call.engine.containers.inspect(call.name)
    options = AttachOptions(
        stdin=call.flag("stdin"),
        stdout=call.flag("stdout"),
        stderr=call.flag("stderr"),
        logs=call.flag("logs"),
        stream=call.flag("stream"),
    )
    terminal = container.configuration.terminal
    session = await call.engine.containers.attach(container.identifier, options)
    wanted = {"stdout": options.stdout, "stderr": options.stderr}
    streams = Streams(
        session,
        stdin=options.stdin,
        terminal=terminal,
        outlives_client=False,
        detach_keys=keys,
        wanted=frozenset(name for name, chosen in wanted.items() if chosen),
    )
    return streams, terminal


async def attach_web_socket(call: Call) -> Response:
    """The same over a WebSocket, whose messages are the bytes without frames."""
    if not call.request.wants_websocket:
        raise InvalidConfiguration("the request is not one for a WebSocket")
    keys = detach_keys.DetachKeys(detach_keys.parsed(call.text("detachKeys")))
    options = AttachOptions(logs=call.flag("logs"), stream=call.flag("stream"), stdin=True)
    session = await call.engine.containers.attach(call.name, options)

    async def serve(socket: WebSocket) -> None:
        try:
            await until_first_ends(_say(session, socket), _hear(session, socket, keys))
        finally:
            await session.kill()
        await socket.close()

    return Response(websocket=serve)


async def _say(session: Session, socket: WebSocket) -> None:
    with suppress(ConnectionError):
        async for _, data in session.output():
            await socket.send(data)


async def _hear(session: Session, socket: WebSocket, keys: detach_keys.DetachKeys) -> None:
    with suppress(ConnectionError):
        while (message := await socket.receive()) is not None:
            data, left = keys.feed(message)
            if data:
                await session.write(data)
            if left:
                return


async def resize(call: Call) -> Response:
    columns, rows = size_of(call)
    await call.engine.containers.resize(call.name, columns, rows)
    return done(200)


def size_of(call: Call) -> tuple[int, int]:
    """Columns and rows. Raises InvalidConfiguration."""
    rows, columns = call.number("h"), call.number("w")
    if rows is None or columns is None or not (0 <= rows < 1 << 16 and 0 <= columns < 1 << 16):
        raise InvalidConfiguration("invalid resize height or width: two numbers are expected")
    return columns, rows


async def stats(call: Call) -> Response:
    containers = call.engine.containers
    container = await containers.inspect(call.name)
    identifier = container.identifier
    if call.flag("stream", default=True):
        body = _samples(call, identifier)
        return Response(headers={"Content-Type": "application/json"}, body=body)
    before = None
    if not call.flag("one-shot") and container.state.running:
        before = await containers.stats(identifier)
        await asyncio.sleep(SAMPLE_SECONDS)
    sample = await containers.stats(identifier)
    return answer(statistics_document.document(sample, before, call.version))


async def _samples(call: Call, identifier: str) -> AsyncIterator[bytes]:
    """One a second until the container is no more; one without numbers while it doesn't run."""
    before = None
    with suppress(NotFound):
        while True:
            sample = await call.engine.containers.stats(identifier)
            tree: dict[str, Any] = statistics_document.document(sample, before, call.version)
            yield encoded(tree)
            before = sample if sample.time else None
            await asyncio.sleep(SAMPLE_SECONDS)


ROUTES = (
    Route("GET", "/containers/{name}/logs", logs),
    Route("POST", "/containers/{name}/attach", attach),
    Route("GET", "/containers/{name}/attach/ws", attach_web_socket),
    Route("POST", "/containers/{name}/resize", resize),
    Route("GET", "/containers/{name}/stats", stats),
)
