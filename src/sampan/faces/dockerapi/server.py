"""Where the API is served: a Unix socket for root and the group `docker`, and TCP behind TLS."""

import grp
import os
import ssl
from contextlib import suppress
from pathlib import Path

import msgspec

from sampan.faces.dockerapi.service import DockerApi
from sampan.foundation.pki.contexts import KeyPairPaths, server_context
from sampan.foundation.wire.http_server import Server, serve, serve_unix

SOCKET_MODE = 0o660
GROUP = "docker"
_DRAIN_SECONDS = 2.0


class TlsListening(msgspec.Struct, frozen=True, kw_only=True):
    """An address that answers those alone whose certificate is of `client_authority`."""

    address: str
    port: int
    certificate: Path
    key: Path
    client_authority: Path

    def context(self) -> ssl.SSLContext:
        """Raises OSError, ssl.SSLError."""
        pair = KeyPairPaths(self.certificate, self.key)
        return server_context(pair, self.client_authority, require_client=True)


class DockerServer:
    """The API at one socket, and at one TCP address if wanted; `port` is that which was bound."""

    def __init__(self, api: DockerApi, socket: Path, listening: TlsListening | None = None) -> None:
        self._api = api
        self._socket = socket
        self._listening = listening
        self._servers: list[Server] = []
        self.port = 0

    async def start(self) -> None:
        """Raises OSError, ssl.SSLError."""
        self._socket.parent.mkdir(parents=True, exist_ok=True)
        self._socket.unlink(missing_ok=True)
        self._servers.append(await serve_unix(self._api.respond, path=self._socket))
        _open_to_group(self._socket)
        if self._listening is not None:
            server = await serve(
                self._api.respond,
                addresses=[self._listening.address],
                port=self._listening.port,
                context=self._listening.context(),
                halves_end_apart=True,
            )
            self.port = server.port
            self._servers.append(server)

    async def stop(self) -> None:
        for server in self._servers:
            await server.close(_DRAIN_SECONDS)
        self._socket.unlink(missing_ok=True)


def _open_to_group(socket: Path) -> None:
    """Who is in the group may do with the machine what root may, as with Docker."""
    with suppress(KeyError):
        os.chown(socket, 0, grp.getgrnam(GROUP).gr_gid)
    socket.chmod(SOCKET_MODE)
