"""Tells this node's DNS server the names of the cluster, a change at a time."""

import asyncio
import logging

from sampan.network.contract import DnsRecords, NameServer
from sampan.node.dns_names import names_of, removed_names
from sampan.node.service_index import ServiceIndex

RETRY_SECONDS = 0.5

_log = logging.getLogger("sampan.node.dns")


class ClusterDns:
    """One task; changes that arrive while it publishes are published together after it."""

    def __init__(self, index: ServiceIndex, server: NameServer, *, domain: str) -> None:
        self._index = index
        self._server = server
        self._domain = domain
        self._published: dict[str, DnsRecords] = {}

    async def run(self) -> None:
        """Publish what changes; never returns."""
        while True:
            await self._index.changed.wait()
            stale = self._index.take()
            now = {key: self._names(key) for key in stale}
            try:
                await self._server.publish(_together(now), self._removed(now))
            except OSError as error:
                _log.error("names were not published: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
                self._index.mark(stale)
            else:
                self._published.update(now)

    def _names(self, key: str) -> DnsRecords:
        service = self._index.service(key)
        if service is None:
            return DnsRecords()
        return names_of(service, self._index.slices(key), self._domain)

    def _removed(self, now: dict[str, DnsRecords]) -> tuple[str, ...]:
        empty = DnsRecords()
        return tuple(
            name
            for key, records in now.items()
            for name in removed_names(self._published.get(key, empty), records)
        )


def _together(records: dict[str, DnsRecords]) -> DnsRecords:
    found = DnsRecords(addresses={}, services={}, pointers={})
    for each in records.values():
        found.addresses.update(each.addresses)
        found.services.update(each.services)
        found.pointers.update(each.pointers)
    return found
