"""APIServices for the groups of custom resources, which come and go with them.

Those carry a label; one that somebody else has made for such a version stays as it is. The
priorities are kube-apiserver's (`controller/crdregistration`).
"""

import asyncio
import logging

from sampan.control.api.admission.write import Write
from sampan.control.api.bootstrap.api_services import MANAGED
from sampan.control.api.bootstrap.bootstrap import IDENTITY
from sampan.control.api.bootstrap.standing import named
from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.refusal import Refused
from sampan.control.api.writing.writer import Writer
from sampan.foundation import tasks
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.registry import Kinds
from sampan.kubernetes.kinds.resource import API_SERVICES
from sampan.kubernetes.machinery.selectors import parse
from sampan.store.contract import StoreError

_GROUP_PRIORITY = 1000
_VERSION_PRIORITY = 100
_RETRY_SECONDS = 1.0
_log = logging.getLogger("sampan.api.aggregation")


class CustomServices:
    """`start` brings them in line with the custom resources, and keeps them so."""

    def __init__(self, writer: Writer, cache: WatchCache, kinds: Kinds) -> None:
        self._writer = writer
        self._cache = cache
        self._kinds = kinds
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        kinds.on_change(self._woken.set)

    def start(self) -> None:
        self._woken.set()
        self._task = asyncio.create_task(self._run(), name="services of custom resources")

    async def close(self) -> None:
        await tasks.end(self._task)
        self._task = None

    async def _run(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self._settle()
            except (Refused, StoreError) as error:
                _log.warning("services of custom resources: %s; it is tried again", error)
                asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._woken.set)

    async def _settle(self) -> None:
        kind = self._kinds.of(API_SERVICES)
        cache = self._cache.of(API_SERVICES)
        wanted = self._wanted()
        for name, tree in wanted.items():
            if cache.get(f"/{name}") is None:
                write = Write(kind, IDENTITY, "", new=tree, reviewed=True)
                await self._writer.create(write)
        selection = Selection("", parse(f"{MANAGED}=true"))
        for stored in list(cache.select(selection)):
            if stored.name not in wanted:
                await self._writer.remove(kind, stored)

    def _wanted(self) -> dict[str, Object]:
        built_in = {(it.resource.group, it.resource.version) for it in self._kinds.built_in}
        served = dict.fromkeys((it.resource.group, it.resource.version) for it in self._kinds)
        return {
            f"{version}.{group}": _service(group, version)
            for group, version in served
            if (group, version) not in built_in
        }


def _service(group: str, version: str) -> Object:
    tree = named(API_SERVICES, f"{version}.{group}")
    tree["metadata"]["labels"] = {MANAGED: "true"}
    tree["spec"] = {
        "group": group,
        "version": version,
        "groupPriorityMinimum": _GROUP_PRIORITY,
        "versionPriority": _VERSION_PRIORITY,
    }
    return tree
