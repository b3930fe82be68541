"""The DNS server as the agent sees it: a process of its own that is kept alive and informed.

The agent holds the listening sockets, so that queries wait while a server that died is being
replaced; the process ends when the agent does, for then its control socket ends.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterable
from ipaddress import IPv4Address
from pathlib import Path

from sampan.host.processes import ChildProcess, spawn
from sampan.network import dns_main
from sampan.network.contract import DnsRecords, NodeNetwork
from sampan.network.dns_control import DnsSettings, NamesChange, encode_frame
from sampan.network.dns_zone import reversed_address

PORT = 53
RESOLVER_FILES = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
RESTART_SECONDS = 0.5
END_SECONDS = 2.0
_FREE_BIND = 15
_RECEIVE_BUFFER_FORCE = 33
_WAITING_BYTES = 1 << 20
_STANDARD_ERROR = 2
_BACKLOG = 128
_log = logging.getLogger(__name__)


class DnsProcess:
    """`contract.NameServer`: a process that answers on the node's gateway address (OSError)."""

    def __init__(
        self,
        network: NodeNetwork,
        *,
        domain: str = "cluster.local",
        resolver_files: Iterable[Path] = RESOLVER_FILES,
    ) -> None:
        self._address = network.gateway
        self._settings = DnsSettings(
            domain=domain,
            listen_address=network.gateway,
            pod_range=network.pod_range,
            service_range=network.service_range,
            node_range=network.node_range,
            resolver_files=tuple(str(path) for path in resolver_files),
        )
        self._names = DnsRecords(addresses={}, services={}, pointers={})
        self._keeper: asyncio.Task[None] | None = None
        self._child: ChildProcess | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._sockets: tuple[socket.socket, ...] = ()

    async def start(self) -> None:
        """Listen, and start the process; queries wait until it is ready."""
        self._sockets = (
            _listening_socket(self._address, socket.SOCK_DGRAM),
            _listening_socket(self._address, socket.SOCK_STREAM),
        )
        self._child = await self._spawn()
        self._keeper = asyncio.get_running_loop().create_task(self._keep())

    async def _spawn(self) -> ChildProcess:
        ours, theirs = socket.socketpair()
        udp, tcp = self._sockets
        inherited = {
            dns_main.UDP_DESCRIPTOR: udp.fileno(),
            dns_main.TCP_DESCRIPTOR: tcp.fileno(),
            dns_main.CONTROL_DESCRIPTOR: theirs.fileno(),
        }
        try:
            child = await spawn(
                (sys.executable, "-m", dns_main.__name__),
                environment=_environment(),
                stderr=_STANDARD_ERROR,
                inherited=inherited,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        _, self._writer = await asyncio.open_unix_connection(sock=ours)
        self._writer.write(encode_frame(self._settings))
        self._writer.write(encode_frame(NamesChange(self._names)))
        return child

    async def _keep(self) -> None:
        """Replace the process whenever it ends."""
        while True:
            if self._child is not None:
                code = await self._child.wait()
                self._child = None
                self._disconnect()
                _log.warning("the DNS server ended with %d and is started again", code)
            await asyncio.sleep(RESTART_SECONDS)
            try:
                self._child = await self._spawn()
            except OSError as error:
                _log.error("the DNS server could not be started: %s", error)

    def _disconnect(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    async def publish(self, changed: DnsRecords, removed: tuple[str, ...] = ()) -> None:
        """Add or replace the names in `changed`, forget those in `removed`.

        A name in `removed` may be the reverse name of an address (`5.0.42.10.in-addr.arpa`).
        """
        for name in removed:
            self._names.addresses.pop(name, None)
            self._names.services.pop(name, None)
            address = reversed_address(name)
            if address is not None:
                self._names.pointers.pop(address, None)
        self._names.addresses.update(changed.addresses)
        self._names.services.update(changed.services)
        self._names.pointers.update(changed.pointers)
        if self._writer is not None:
            self._writer.write(encode_frame(NamesChange(changed, removed)))
            try:
                await self._writer.drain()
            except ConnectionError:
                _log.info("the DNS server ended; its successor gets all names")

    async def stop(self) -> None:
        """End the process and stop listening; no error if it was not started."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        self._disconnect()
        if self._child is not None:
            await self._end(self._child)
            self._child = None
        for each in self._sockets:
            each.close()
        self._sockets = ()

    @staticmethod
    async def _end(child: ChildProcess) -> None:
        """It ends by itself when nobody speaks to it any more; if it hangs, it is killed."""
        try:
            async with asyncio.timeout(END_SECONDS):
                await child.wait()
        except TimeoutError:
            child.signal(signal.SIGKILL)
            await child.wait()


def _listening_socket(address: IPv4Address, kind: socket.SocketKind) -> socket.socket:
    """A socket on the DNS port of an address that may not be there yet, or whose earlier
    listener may just be ending (ip(7): IP_FREEBIND; socket(7): SO_REUSEADDR, SO_REUSEPORT)."""
    made = socket.socket(socket.AF_INET, kind | socket.SOCK_CLOEXEC)
    try:
        made.setsockopt(socket.IPPROTO_IP, _FREE_BIND, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            made.bind((str(address), PORT))
            made.listen(_BACKLOG)
        else:
            made.setsockopt(socket.SOL_SOCKET, _RECEIVE_BUFFER_FORCE, _WAITING_BYTES)
            made.bind((str(address), PORT))
    except BaseException:
        made.close()
        raise
    return made


def _environment() -> dict[str, str]:
    kept = ("PATH", "PYTHONPATH", "LANG")
    return {name: os.environ[name] for name in kept if name in os.environ}
