"""SPDY/3.1: frames, header blocks, and streams of two sessions that speak to one another."""

import asyncio
import contextlib
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.memory_pipe import ends

from sampan.foundation.wire.spdy import frames
from sampan.foundation.wire.spdy.header_block import (
    DICTIONARY,
    LARGEST_BLOCK,
    HeaderReader,
    HeaderWriter,
)
from sampan.foundation.wire.spdy.session import MOST_STREAMS, Session
from sampan.foundation.wire.spdy.violation import ProtocolViolation


@contextlib.asynccontextmanager
async def sessions(opened=lambda _: None):
    """A client and a server that run."""
    near, far = ends()
    client, server = Session(near, is_client=True), Session(far, opened)
    running = [asyncio.create_task(session.run()) for session in (client, server)]
    try:
        yield client, near
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def test_the_dictionary_is_the_protocols():
    """The identifier that every compressed block of SPDY/3 begins with."""
    assert zlib.adler32(DICTIONARY) == 0xE3C6A7C2


@given(st.lists(st.dictionaries(st.text(max_size=20), st.text(max_size=50), max_size=5)))
def test_header_blocks_come_back(blocks):
    writer, reader = HeaderWriter(), HeaderReader()
    for headers in blocks:
        lowered = {name.lower(): value for name, value in headers.items()}
        assert reader.headers(writer.block(headers)).keys() == {name.lower() for name in lowered}


@given(st.binary(max_size=200), st.lists(st.integers(1, 40)))
def test_frames_come_back_however_they_are_cut(content, cuts):
    writer = HeaderWriter()
    sent = [
        frames.opening(1, writer.block({"streamType": "data"})),
        frames.data(1, content, is_last=True),
        frames.ping(7),
        frames.acceptance(2, writer.block({})),
        frames.reset(3, 5),
        frames.farewell(9),
    ]
    whole, reader, found = b"".join(sent), frames.FrameReader(), []
    for size in cuts:
        piece, whole = whole[:size], whole[size:]
        found += reader.feed(piece)
    found += reader.feed(whole)
    data = [frame for frame in found if isinstance(frame, frames.Data)]
    assert b"".join(frame.data for frame in data) == content
    assert [frame.is_last for frame in data] == [False] * (len(data) - 1) + [True]
    assert [frame for frame in found if not isinstance(frame, frames.Data)] == [
        frames.Opened(1, {"streamtype": "data"}, is_last=False),
        frames.Ping(7),
        frames.Accepted(2, {}, is_last=False),
        frames.Reset(3, 5),
        frames.GoAway(9),
    ]


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n" + b"\x80" * 8,
        struct.pack(">II", 0x80020001, 0),
        struct.pack(">II", 0x80030001, 0xFFFFFF),
        struct.pack(">II", 0x80030001, 12) + bytes(12),
        struct.pack(">II", 0x80030006, 1) + bytes(1),
        struct.pack(">II", 0x80030003, 4) + bytes(4),
    ],
)
def test_what_is_no_frame_is_refused(sent):
    reader = frames.FrameReader()
    try:
        found = list(reader.feed(sent))
    except ProtocolViolation:
        return
    # Whatever else it was, it is a data frame that has not come yet.
    assert all(isinstance(frame, frames.Data) for frame in found)


def test_a_block_that_grows_without_end_is_refused():
    compressor = zlib.compressobj(zdict=DICTIONARY)
    block = compressor.compress(bytes(100 * LARGEST_BLOCK)) + compressor.flush(zlib.Z_SYNC_FLUSH)
    assert len(block) < LARGEST_BLOCK
    with pytest.raises(ProtocolViolation, match="too large"):
        HeaderReader().headers(block)


def test_streams_carry_bytes_both_ways_and_end_one_by_one():
    async def main():
        arrived = asyncio.Queue()
        async with sessions(arrived.put_nowait) as (client, _):
            one = await client.open({"streamType": "data", "port": "80"})
            other = await client.open({"streamType": "error"})
            there = await arrived.get()
            assert there.headers == {"streamtype": "data", "port": "80"}
            await one.write(b"question" * 10_000)
            await one.close()
            got = b""
            while piece := await there.read():
                got += piece
            assert got == b"question" * 10_000
            await there.write(b"answer")
            await there.close()
            assert await one.read() == b"answer"
            assert await one.read() == b""
            still = await arrived.get()
            await still.write(b"open")
            assert await other.read() == b"open"

    asyncio.run(main())


def test_a_stream_that_nobody_reads_holds_the_writer_and_not_memory():
    async def main():
        arrived = asyncio.Queue()
        async with sessions(arrived.put_nowait) as (client, _):
            stream = await client.open({})
            there = await arrived.get()
            sent = 0

            async def send():
                nonlocal sent
                while True:
                    await stream.write(bytes(32 * 1024))
                    sent += 32 * 1024

            sending = asyncio.create_task(send())
            for _ in range(200):
                await asyncio.sleep(0)
            held = sent
            assert held < 2 << 20
            for _ in range(200):
                await asyncio.sleep(0)
            assert sent == held
            await there.end()
            for _ in range(200):
                await asyncio.sleep(0)
            assert sent > held
            sending.cancel()

    asyncio.run(main())


def test_pings_come_back_and_too_many_streams_do_not():
    async def main():
        near, far = ends()
        server = Session(far)
        running = asyncio.create_task(server.run())
        await near.write(frames.ping(1))
        assert await near.read() == frames.ping(1)
        writer, reader = HeaderWriter(), frames.FrameReader()
        for number in range(MOST_STREAMS + 1):
            await near.write(frames.opening(2 * number + 1, writer.block({})))
            (answer,) = reader.feed(await near.read())
        assert isinstance(answer, frames.Reset)
        await near.write(frames.opening(1, writer.block({})))
        with pytest.raises(ProtocolViolation, match="can't be opened"):
            await running

    asyncio.run(main())
