"""A command's channels over streams of SPDY, as clients without WebSockets open them."""

import asyncio

from tests.memory_pipe import ends

from sampan.foundation.wire.spdy.session import Session
from sampan.node.streaming import command_streams
from sampan.node.streaming.channels import CLOSE, ERROR, RESIZE, STDIN, STDOUT


async def conversation(types, talk, story):
    """A client's story while the node talks."""
    near, far = ends()
    client = Session(near, is_client=True)
    reading = asyncio.create_task(client.run())
    serving = asyncio.create_task(command_streams.serve(far, types, talk))
    await story(client)
    await near.write(b"")
    await serving
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)


def test_messages_and_streams_are_the_same_to_both_sides():
    async def talk(channels):
        heard = [await channels.receive() for _ in range(4)]
        assert heard[:3] == [
            bytes((RESIZE,)) + b'{"Width":80}',
            bytes((RESIZE,)) + b'{"Width":90}',
            bytes((STDIN,)) + b"typed",
        ]
        assert heard[3] == bytes((CLOSE, STDIN))
        await channels.send(bytes((STDOUT,)) + b"shown")
        await channels.send(bytes((ERROR,)) + b"{}")
        await channels.close()

    async def story(client):
        opened = {}
        for kind in ("error", "stdin", "stdout", "resize"):
            opened[kind] = await client.open({"streamType": kind})
        await opened["resize"].write(b'{"Width":80}\n{"Width":90}\n')
        await asyncio.sleep(0.01)
        await opened["stdin"].write(b"typed")
        await opened["stdin"].close()
        assert await opened["stdout"].read() == b"shown"
        assert await opened["stdout"].read() == b""
        assert await opened["error"].read() == b"{}"

    types = frozenset(("error", "stdin", "stdout", "resize"))
    asyncio.run(conversation(types, talk, story))


def test_a_client_that_leaves_ends_the_conversation():
    ended = []

    async def talk(channels):
        await channels.send(bytes((ERROR,)) + b"begun")
        ended.append(await channels.receive())

    async def story(client):
        stream = await client.open({"streamType": "error"})
        assert await stream.read() == b"begun"

    asyncio.run(conversation(frozenset(("error",)), talk, story))
    assert ended == [None]


def test_a_client_that_leaves_before_it_has_opened_all_is_not_talked_to():
    async def talk(_channels):
        raise AssertionError

    async def story(client):
        await client.open({"streamType": "other"})

    asyncio.run(conversation(frozenset(("error", "stdout")), talk, story))
