"""Keeps this node's packet rules those of the cluster's Services.

One task: changes are gathered while the rules are being applied, so that a burst becomes one
transaction and a single change goes out at once. Only the services that changed are worked
out anew. Rules that someone flushed are put back.
"""

import asyncio
import contextlib
import logging
from ipaddress import IPv4Address

from sampan.host.nftables import NftablesError
from sampan.network.contract import ServicePort, ServiceRules
from sampan.node.service_index import ServiceIndex
from sampan.node.service_ports import ports_of

RETRY_SECONDS = 0.5

_log = logging.getLogger("sampan.node.services")


class ServiceProxy:
    def __init__(
        self,
        index: ServiceIndex,
        rules: ServiceRules,
        *,
        node_name: str,
        name_server: IPv4Address,
        check_seconds: float,
    ) -> None:
        self._index = index
        self._rules = rules
        self._node_name = node_name
        self._name_server = name_server
        self._check_seconds = check_seconds
        self._ports: dict[str, dict[str, ServicePort]] = {}

    def set_host_ports(self, uid: str, ports: dict[str, ServicePort]) -> None:
        """The ports of this node that lead to one of its pods; none to take them away."""
        if ports != self._ports.get(uid, {}):
            self._ports[uid] = ports
            self._index.changed.set()

    async def run(self) -> None:
        """Apply what changes, and look after the rules; never returns."""
        while True:
            try:
                await self._apply()
                await self._wait_for_change()
            except TimeoutError:
                await self._restore()
            except (OSError, NftablesError) as error:
                _log.error("packet rules were not applied: %s", error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _wait_for_change(self) -> None:
        """Until a service changes, forgetting what stays unanswered meanwhile.

        TimeoutError when it is time to look after the rules.
        """
        async with asyncio.timeout(self._check_seconds):
            while not self._index.changed.is_set():
                pause = await self._rules.forget_unanswered()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._index.changed.wait(), pause)

    async def _apply(self) -> None:
        for key in self._index.take():
            self._plan(key)
        wanted = {name: port for ports in self._ports.values() for name, port in ports.items()}
        await self._rules.apply(wanted)

    def _plan(self, key: str) -> None:
        service = self._index.service(key)
        if service is None:
            self._ports.pop(key, None)
            return
        self._ports[key] = ports_of(
            service,
            self._index.slices(key),
            node_name=self._node_name,
            name_server=self._name_server,
        )

    async def _restore(self) -> None:
        try:
            if await self._rules.restore():
                _log.warning("packet rules had been taken away; they are back")
        except (OSError, NftablesError) as error:
            _log.error("packet rules were not restored: %s", error)
