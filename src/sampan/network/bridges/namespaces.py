"""Ready network namespaces: loopback up, parameters set, and a name server's sockets inside.

Making one takes some 2 ms, so a few wait in a pool. Their names are random, since a pin cannot
be renamed. What is plugged into them is not known here. All of it is synchronous, for a thread.
"""

import contextlib
import secrets
import socket
from collections import deque
from pathlib import Path

import msgspec

from sampan.host.namespaces import (
    create_network_namespace,
    in_network_namespace,
    is_network_namespace,
    remove_network_namespace,
)
from sampan.host.netlink import Netlink
from sampan.host.nftables import Nftables
from sampan.host.sysctl import set_sysctl

NAME_SERVER = "127.0.0.11"
_DNS_PORT = 53
_BACKLOG = 16
_RECEIVE_BUFFER = 1 << 17
# What container engines give every container: low ports and ping without privileges. IPv6 is
# on again on the interfaces of networks that have it.
_SYSCTLS = {
    "net/ipv4/ip_unprivileged_port_start": "0",
    "net/ipv4/ping_group_range": "0 2147483647",
    "net/ipv6/conf/default/disable_ipv6": "1",
}
_TABLE = "sampan-names"


class Namespace(msgspec.Struct, frozen=True, kw_only=True):
    """A pinned namespace and the sockets of its name server, which die with their owner."""

    identifier: str
    path: Path
    datagrams: socket.socket
    connections: socket.socket

    def close(self) -> None:
        self.datagrams.close()
        self.connections.close()


class Namespaces:
    """Makes, keeps ready and removes namespaces pinned in one folder (OSError, NftablesError)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ready: deque[Namespace] = deque()

    def path(self, identifier: str) -> Path:
        return self._folder / identifier[:12]

    def take(self) -> Namespace:
        """A namespace of one's own."""
        with contextlib.suppress(IndexError):
            return self._ready.popleft()
        return self._make()

    def fill(self, target: int) -> None:
        """Have so many ready."""
        while len(self._ready) < target:
            self._ready.append(self._make())

    def _make(self) -> Namespace:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        identifier = secrets.token_hex(32)
        path = self.path(identifier)
        create_network_namespace(path)
        try:
            return self.open(identifier, fresh=True)
        except BaseException:
            remove_network_namespace(path)
            raise

    def open(self, identifier: str, *, fresh: bool = False) -> Namespace:
        """Take up a namespace with new sockets; `fresh` ones get their parameters, too."""
        path = self.path(identifier)
        with contextlib.ExitStack() as opened, in_network_namespace(path):
            if fresh:
                _set_up()
            datagrams = opened.enter_context(_name_socket(socket.SOCK_DGRAM))
            connections = opened.enter_context(_name_socket(socket.SOCK_STREAM))
            with Nftables() as nftables:
                nftables.run(_translation(datagrams, connections))
            opened.pop_all()
        return Namespace(
            identifier=identifier, path=path, datagrams=datagrams, connections=connections
        )

    def exists(self, identifier: str) -> bool:
        return is_network_namespace(self.path(identifier))

    def remove(self, identifier: str) -> None:
        """Unpin a namespace; it ends, with its interfaces, once nobody is in it."""
        remove_network_namespace(self.path(identifier))

    def remove_others(self, kept: frozenset[str]) -> None:
        """Unpin every namespace of the folder but these."""
        if not self._folder.exists():
            return
        names = {self.path(identifier).name for identifier in kept}
        names |= {namespace.path.name for namespace in self._ready}
        for entry in self._folder.iterdir():
            if entry.name not in names:
                remove_network_namespace(entry)

    def close(self) -> None:
        """Remove those that are ready."""
        while self._ready:
            namespace = self._ready.popleft()
            namespace.close()
            remove_network_namespace(namespace.path)


def _set_up() -> None:
    for name, value in _SYSCTLS.items():
        set_sysctl(name, value)
    with Netlink() as inside:
        inside.set_up("lo")


def _name_socket(kind: socket.SocketKind) -> socket.socket:
    """On any port: port 53 of every address is for what runs inside."""
    made = socket.socket(socket.AF_INET, kind | socket.SOCK_CLOEXEC)
    try:
        made.bind((NAME_SERVER, 0))
        made.setblocking(False)
        if kind == socket.SOCK_STREAM:
            made.listen(_BACKLOG)
        else:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    except BaseException:
        made.close()
        raise
    return made


def _translation(datagrams: socket.socket, connections: socket.socket) -> str:
    """What is for the name server's port 53 goes to where its sockets are."""
    rules = "\n".join(
        f"ip daddr {NAME_SERVER} {protocol} dport {_DNS_PORT} "
        f"dnat to {NAME_SERVER}:{made.getsockname()[1]}"
        for protocol, made in (("udp", datagrams), ("tcp", connections))
    )
    return f"""
        table ip {_TABLE}
        delete table ip {_TABLE}
        table ip {_TABLE} {{
            chain leaving {{
                type nat hook output priority -100; policy accept;
                {rules}
            }}
        }}
    """
