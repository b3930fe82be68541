"""Connections to the ports of a pod, made inside its network as if by the pod itself."""

import asyncio
import socket
from pathlib import Path

from sampan.host.namespaces import open_socket_in

_CONNECT_SECONDS = 10.0
_LOOPBACKS = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


async def dial(
    namespace: Path | None, port: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the loopback of a network namespace; None is the node's own.

    What listens on IPv6 alone is found, too. Raises OSError.
    """
    refusal: OSError | None = None
    for family, address in _LOOPBACKS:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                return await _connected(namespace, family, address, port)
        except OSError as error:
            refusal = refusal or error
    assert refusal is not None
    raise refusal


async def _connected(
    namespace: Path | None, family: int, address: str, port: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if namespace is None:
        opened = socket.socket(family, socket.SOCK_STREAM)
    else:
        opened = open_socket_in(namespace, family, socket.SOCK_STREAM)
    try:
        opened.setblocking(False)
        await asyncio.get_running_loop().sock_connect(opened, (address, port))
        return await asyncio.open_connection(sock=opened)
    except BaseException:
        opened.close()
        raise
