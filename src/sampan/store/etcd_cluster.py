"""The members of an etcd cluster, one of which is spoken to at a time.

Theory: every call goes to the current member. When that one doesn't answer in time, has lost
its leader or is gone, the next one becomes current, and the streams of the old one end, since
a member that is cut off would keep them open in silence. Knows calls and bytes, not what they
mean.
"""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import grpc
import grpc.aio

from sampan.store.contract import FutureRevision, StoreError, TooLarge, Unavailable

RANGE = "/etcdserverpb.KV/Range"
TRANSACTION = "/etcdserverpb.KV/Txn"
COMPACT = "/etcdserverpb.KV/Compact"
WATCH = "/etcdserverpb.Watch/Watch"

_ATTEMPT_SECONDS = 1.0
TOTAL_SECONDS = 6.0
PAUSE_SECONDS = 0.05
# Refuse to be served by a member that has lost its leader.
_METADATA = (("hasleader", "true"),)
_LARGEST_ANSWER = 512 * 1024 * 1024
_OPTIONS = (
    ("grpc.max_receive_message_length", _LARGEST_ANSWER),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # Channels of one process would otherwise share a connection that another has lost.
    ("grpc.use_local_subchannel_pool", 1),
)
_TOO_LARGE = ("request is too large", "received message larger than max")
_ELSEWHERE = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INTERNAL,
)


class CompactedAway(StoreError):
    """The revision asked for is compacted; the answer does not say up to where."""


class Unanswered(Unavailable):
    """Nobody knows whether the request was carried out."""


def credentials(
    authority: Path | None, certificate: Path | None, key: Path | None
) -> grpc.ChannelCredentials | None:
    """TLS that trusts `authority` alone and shows a certificate, if any; None without an
    authority. Raises OSError."""
    if authority is None:
        return None
    return grpc.ssl_channel_credentials(
        authority.read_bytes(),
        key.read_bytes() if key is not None else None,
        certificate.read_bytes() if certificate is not None else None,
    )


class EtcdCluster:
    """Calls to whichever member answers."""

    def __init__(
        self, endpoints: tuple[str, ...], credentials: grpc.ChannelCredentials | None
    ) -> None:
        self._endpoints = endpoints
        self._credentials = credentials
        self._channels: dict[int, grpc.aio.Channel] = {}
        self._streams: dict[grpc.aio.StreamStreamCall[bytes, bytes], int] = {}
        self._current = 0

    async def call(self, method: str, request: bytes) -> bytes:
        """The answer to a request that may be sent again, to other members too.

        Raises Unavailable, FutureRevision, CompactedAway, TooLarge.
        """
        until = asyncio.get_running_loop().time() + TOTAL_SECONDS
        while True:
            try:
                return await self.attempt(method, request)
            except Unanswered:
                if asyncio.get_running_loop().time() > until:
                    raise
            await asyncio.sleep(PAUSE_SECONDS)

    async def attempt(self, method: str, request: bytes) -> bytes:
        """The answer to one request. Raises what `call` raises, Unanswered among it."""
        number = self._current
        send: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
        send = self._channel(number).unary_unary(method)
        try:
            return await send(request, timeout=_ATTEMPT_SECONDS, metadata=_METADATA)
        except grpc.aio.AioRpcError as error:
            if error.code() in _ELSEWHERE:
                self._leave(number)
                raise Unanswered(_explained(error)) from error
            raise _mapped(error) from error

    async def stream(self, method: str, request: bytes) -> AsyncGenerator[bytes, None]:
        """What comes after one request, without end. Raises what `call` raises."""
        number = self._current
        opening: grpc.aio.StreamStreamMultiCallable[bytes, bytes]
        opening = self._channel(number).stream_stream(method)
        stream = opening(metadata=_METADATA)
        self._streams[stream] = number
        try:
            # A write into a call that was cancelled before it had a connection never returns.
            async with asyncio.timeout(_ATTEMPT_SECONDS):
                await stream.write(request)
            async for answer in stream:
                yield answer
            raise Unanswered("the datastore ended a watch")
        except grpc.aio.AioRpcError as error:
            self._leave(number)
            raise _mapped(error) from error
        except TimeoutError as error:
            self._leave(number)
            raise Unanswered("the datastore does not take a watch") from error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling() or stream in self._streams:
                raise
            raise Unanswered("the datastore's member was left") from error
        finally:
            self._streams.pop(stream, None)
            stream.cancel()

    async def close(self) -> None:
        """End every connection."""
        for channel in self._channels.values():
            await channel.close()

    def _leave(self, number: int) -> None:
        """Go to the next member, unless somebody has left this one already."""
        if number != self._current or len(self._endpoints) == 1:
            return
        self._current = (number + 1) % len(self._endpoints)
        for stream in [stream for stream, member in self._streams.items() if member == number]:
            del self._streams[stream]
            stream.cancel()

    def _channel(self, number: int) -> grpc.aio.Channel:
        channel = self._channels.get(number)
        if channel is None:
            channel = self._channels[number] = self._connected(self._endpoints[number])
        return channel

    def _connected(self, endpoint: str) -> grpc.aio.Channel:
        if self._credentials is None:
            return grpc.aio.insecure_channel(endpoint, options=_OPTIONS)
        return grpc.aio.secure_channel(endpoint, self._credentials, options=_OPTIONS)


def _explained(error: grpc.aio.AioRpcError) -> str:
    return f"the datastore does not answer: {error.details() or error.code().name}"


def _mapped(error: grpc.aio.AioRpcError) -> StoreError:
    """What a failed call means, by etcd's own words where the code says too little."""
    details = error.details() or ""
    if "has been compacted" in details:
        return CompactedAway(details)
    if "future revision" in details:
        return FutureRevision(details)
    if any(words in details for words in _TOO_LARGE):
        return TooLarge(details)
    return Unavailable(_explained(error))
