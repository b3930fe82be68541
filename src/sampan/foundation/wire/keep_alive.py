"""How long a connection may be dead before both sides know it.

A machine that loses power or its network says no goodbye, and a watch waits for nothing but the
other side: without this it would wait for ever.
"""

import socket
from typing import Protocol

IDLE_SECONDS = 15
INTERVAL_SECONDS = 5
PROBES = 3
UNACKNOWLEDGED_MILLISECONDS = 30_000


class _Socket(Protocol):
    @property
    def family(self) -> int: ...

    def setsockopt(self, level: int, option: int, value: int, /) -> None: ...


def watch_over(connection: _Socket) -> None:
    """Let the kernel probe a quiet TCP connection (tcp(7)) and end one that doesn't answer.

    Of a Unix socket the kernel knows at once when its other end goes away."""
    if connection.family == socket.AF_UNIX:
        return
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_KEEPIDLE, IDLE_SECONDS),
        (socket.TCP_KEEPINTVL, INTERVAL_SECONDS),
        (socket.TCP_KEEPCNT, PROBES),
        (socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MILLISECONDS),
    ):
        connection.setsockopt(socket.IPPROTO_TCP, option, value)
