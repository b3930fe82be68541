"""Forwarded ports over streams and over channels, to servers of the test's own."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from tests.memory_pipe import ends

from sampan.foundation.wire.spdy.session import Session
from sampan.node.streaming.port_forward import forward_channels, forward_streams, wanted_ports


class Socket:
    """A WebSocket whose peer says what the test puts in."""

    def __init__(self):
        self.subprotocol = "v4.channel.k8s.io"
        self.said = asyncio.Queue()
        self.got = asyncio.Queue()

    async def receive(self):
        return await self.said.get()

    async def send(self, message):
        self.got.put_nowait(message)

    async def close(self, code=1000, reason=""):
        self.got.put_nowait(None)


async def shout(reader, writer):
    """Answers what was said, once all of it was, in capitals."""
    writer.write((await reader.read()).upper())
    writer.close()


async def echo(reader, writer):
    while data := await reader.read(1000):
        writer.write(data)
    writer.close()


@asynccontextmanager
async def listening(answer):
    """The port of a server, whose connections are over when the block is left."""
    held = []

    async def hold(reader, writer):
        held.append(asyncio.current_task())
        await answer(reader, writer)
        await writer.wait_closed()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*held)


async def dial(port):
    return await asyncio.open_connection("127.0.0.1", port)


async def pair(client, port, request):
    headers = {"port": str(port), "requestID": request}
    error = await client.open({"streamType": "error", **headers})
    await error.close()
    return error, await client.open({"streamType": "data", **headers})


async def rest(stream):
    whole = b""
    while piece := await stream.read():
        whole += piece
    return whole


def test_each_pair_of_streams_is_a_connection_of_its_own():
    async def main():
        near, far = ends()
        client = Session(near, is_client=True)
        async with listening(shout) as port:
            running = [
                asyncio.create_task(client.run()),
                asyncio.create_task(forward_streams(far, dial)),
            ]
            pairs = [await pair(client, port, str(number)) for number in range(3)]
            for number, (_, data) in enumerate(pairs):
                await data.write(b"said %d" % number)
                await data.close()
            for number, (error, data) in enumerate(pairs):
                assert await rest(data) == b"SAID %d" % number
                assert await rest(error) == b""
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    asyncio.run(main())


@pytest.mark.parametrize("port", ["0", "70000", "http", ""])
def test_what_is_no_port_is_told_on_the_stream_of_errors(port):
    async def main():
        near, far = ends()
        client = Session(near, is_client=True)
        running = [
            asyncio.create_task(client.run()),
            asyncio.create_task(forward_streams(far, dial)),
        ]
        error, data = await pair(client, port, "1")
        assert b"is not a port" in await rest(error)
        assert await rest(data) == b""
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    asyncio.run(main())


def test_channels_carry_a_port_each():
    async def main():
        socket = Socket()
        async with listening(echo) as silent:
            pass
        async with listening(echo) as port:
            running = asyncio.create_task(forward_channels(socket, (port, silent), dial))
            for channel, number in ((0, port), (1, port), (2, silent), (3, silent)):
                assert await socket.got.get() == bytes((channel,)) + number.to_bytes(2, "little")
            refusal = await socket.got.get()
            assert refusal[0] == 3
            assert b"connection refused" in refusal
            socket.said.put_nowait(b"\x00hello")
            assert await socket.got.get() == b"\x00hello"
            socket.said.put_nowait(b"\x02nobody")
            socket.said.put_nowait(b"")
            socket.said.put_nowait(None)
            await running
            assert socket.got.get_nowait() is None

    asyncio.run(main())


def test_ports_are_named_singly_or_together():
    assert wanted_ports(("80,443", "8080")) == (80, 443, 8080)
    for texts in ((), ("",), ("80,x",), ("-1",), ("65536",), ("1",) * 128):
        with pytest.raises(ValueError, match="port"):
            wanted_ports(texts)
