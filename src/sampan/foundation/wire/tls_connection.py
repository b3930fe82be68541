"""TLS whose halves end one by one: a peer that has said all may still be listening.

asyncio's own TLS ends a connection with the first `close_notify`; TLS lets each side end its
own direction alone (RFC 8446, section 6.1), and Docker's clients count on it where they pass on
a standard input that ends. What is said on the connection is not known here.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, cast

_PIECE = 64 * 1024


class TlsConnection(asyncio.Protocol):
    """Stands between a TCP connection and the protocol above, made when the handshake is over."""

    def __init__(
        self,
        context: ssl.SSLContext,
        make_protocol: Callable[[], asyncio.Protocol],
        handshake_seconds: float,
    ) -> None:
        self._arrived, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._arrived, self._leaving, server_side=True)
        self._make_protocol = make_protocol
        self._handshake_seconds = handshake_seconds
        self._timer: asyncio.TimerHandle | None = None
        self._wire: asyncio.Transport | None = None
        self._upper: TlsTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire = cast(asyncio.Transport, transport)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._handshake_seconds, self._wire.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self._upper is not None:
            self._upper.lost(exc)

    def data_received(self, data: bytes) -> None:
        self._arrived.write(data)
        if self._upper is not None:
            self._upper.deliver()
        else:
            self._shake_hands()

    def eof_received(self) -> bool:
        """After `close_notify` the end of the TCP stream tells nothing new; before it, it cuts
        the peer's words off, and the connection ends."""
        return self._upper is not None and self._upper.peer_has_ended

    def pause_writing(self) -> None:
        if self._upper is not None:
            self._upper.get_protocol().pause_writing()

    def resume_writing(self) -> None:
        if self._upper is not None:
            self._upper.get_protocol().resume_writing()

    def _shake_hands(self) -> None:
        assert self._wire is not None
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except ssl.SSLError:
            # The alert that was just written tells the peer why.
            self._flush()
            self._wire.close()
            return
        self._flush()
        self._stop_timer()
        self._upper = TlsTransport(self._wire, self._tls, self._leaving, self._make_protocol())
        self._upper.begin()

    def _flush(self) -> None:
        assert self._wire is not None
        if data := self._leaving.read():
            self._wire.write(data)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class TlsTransport(asyncio.Transport):
    """What the protocol above sees of the connection: a transport that can end its half."""

    def __init__(
        self,
        wire: asyncio.Transport,
        tls: ssl.SSLObject,
        leaving: ssl.MemoryBIO,
        protocol: asyncio.Protocol,
    ) -> None:
        extra = {"ssl_object": tls, "peercert": tls.getpeercert(), "cipher": tls.cipher()}
        super().__init__(extra)
        self._wire = wire
        self._tls = tls
        self._leaving = leaving
        self._protocol = protocol
        self._paused = False
        self._said_all = False
        self.peer_has_ended = False

    def begin(self) -> None:
        """The handshake is over."""
        self._protocol.connection_made(self)
        self.deliver()

    def deliver(self) -> None:
        """Give the protocol what has arrived, for as long as it takes it."""
        while not (self._paused or self.peer_has_ended or self._wire.is_closing()):
            try:
                data = self._tls.read(_PIECE)
            except ssl.SSLWantReadError:
                # A new key of the peer's may ask for an answer.
                self._flush()
                return
            except ssl.SSLZeroReturnError:
                data = b""
            except ssl.SSLError:
                self._flush()
                self._wire.close()
                return
            if data:
                self._protocol.data_received(data)
            else:
                self._end_of_peer()

    def lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        own = super().get_extra_info(name)
        return own if own is not None else self._wire.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = cast(asyncio.Protocol, protocol)

    def get_protocol(self) -> asyncio.Protocol:
        return self._protocol

    def is_closing(self) -> bool:
        return self._wire.is_closing()

    def close(self) -> None:
        self.write_eof()
        self._wire.close()

    def abort(self) -> None:
        self._wire.abort()

    def is_reading(self) -> bool:
        return not self._paused and self._wire.is_reading()

    def pause_reading(self) -> None:
        if not self._paused and not self._wire.is_closing():
            self._paused = True
            self._wire.pause_reading()

    def resume_reading(self) -> None:
        if self._paused and not self._wire.is_closing():
            self._paused = False
            self._wire.resume_reading()
            # What came before the pause; not within the call of whoever asks for it.
            asyncio.get_running_loop().call_soon(self.deliver)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not data or self._said_all or self._wire.is_closing():
            return
        self._tls.write(data)
        self._flush()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """Say that nothing more will be said; the peer may go on speaking."""
        if self._said_all or self._wire.is_closing():
            return
        self._said_all = True
        # It is sent at once; that the peer's own end is not there yet is no error.
        with suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()

    def get_write_buffer_size(self) -> int:
        return self._wire.get_write_buffer_size()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._wire.get_write_buffer_limits()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._wire.set_write_buffer_limits(high, low)

    def _end_of_peer(self) -> None:
        self.peer_has_ended = True
        if not self._protocol.eof_received():
            self.close()

    def _flush(self) -> None:
        if data := self._leaving.read():
            self._wire.write(data)
