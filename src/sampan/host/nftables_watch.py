"""Hearing of every change of the packet rules of a network namespace, by anybody.

The kernel sends its news to the group NFNLGRP_NFTABLES (linux/netfilter/nfnetlink.h). What they
say is not read: only that there are some. What follows from it is not known here.
"""

import asyncio
import socket
from collections.abc import Callable

_NETFILTER = 12
_GROUPS = 1 << (7 - 1)
_RECEIVE_SIZE = 1 << 16


class RulesetWatch:
    """Calls back in the running event loop when somebody changed rules (OSError)."""

    def __init__(self, changed: Callable[[], None]) -> None:
        """It concerns the calling thread's network namespace."""
        self._changed = changed
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_NETLINK, kind, _NETFILTER)
        self._socket.bind((0, _GROUPS))
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._drain)

    def _drain(self) -> None:
        while True:
            try:
                self._socket.recv(_RECEIVE_SIZE)
            except BlockingIOError:
                break
            except OSError:
                continue  # some were lost (ENOBUFS), which is news, too
        self._changed()

    def close(self) -> None:
        self._loop.remove_reader(self._socket)
        self._socket.close()
