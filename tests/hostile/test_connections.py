"""Floods and slowness on one connection (34), and an upgraded one that is used again (35)."""

import asyncio

import pytest
from tests.foundation.wire.test_connection import connected, settle

from sampan.foundation.wire import http_connection, request_body
from sampan.foundation.wire.message import Request, Response


async def read_whole(request: Request) -> Response:
    return Response(body=b"%d" % len(await request.read_body()))


def test_a_flood_of_requests_is_not_taken_in() -> None:
    async def story() -> None:
        gate = asyncio.Event()
        asked = 0

        async def slow(_request: Request) -> Response:
            nonlocal asked
            asked += 1
            await gate.wait()
            return Response(body=b"x")

        connection, pipe = connected(slow)
        sent = 0
        while not pipe.paused and sent < 1000:
            connection.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            sent += 1
        await settle()
        assert sent <= http_connection.WAITING_REQUESTS + 1
        assert asked == 1
        gate.set()
        await settle()
        await settle()
        assert pipe.written.count(b"200 OK") == sent
        assert not pipe.paused
        connection.connection_lost(None)

    asyncio.run(story())


def test_a_body_that_trickles_in_is_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request_body, "ARRIVAL_SECONDS", 0.05)

    async def story() -> None:
        connection, pipe = connected(read_whole)
        connection.data_received(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
        for _ in range(20):
            connection.data_received(b"x")
            await asyncio.sleep(0.01)
            if pipe.closed or pipe.written:
                break
        assert b"200 OK" not in pipe.written
        assert pipe.closed or pipe.written
        connection.connection_lost(None)

    asyncio.run(story())


def test_many_small_headers_are_too_many() -> None:
    async def story() -> None:
        connection, pipe = connected(read_whole)
        connection.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n")
        for number in range(http_connection.MAXIMUM_HEADERS + 1):
            if not pipe.closed:
                connection.data_received(b"X-%d: y\r\n" % number)
        assert pipe.closed
        assert b"431" in pipe.written
        connection.connection_lost(None)

    asyncio.run(story())
