"""An APIService for each version of a group that custom resources bring, as long as they do."""

from sampan.control.api.admission.write import Write
from sampan.control.api.bootstrap.api_services import MANAGED
from sampan.control.api.bootstrap.bootstrap import IDENTITY
from sampan.control.api.bootstrap.standing import named
from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.refusal import Refused
from sampan.control.api.writer import Writer
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.registry import Kinds
from sampan.kubernetes.kinds.resource import API_SERVICES
from sampan.kubernetes.machinery.selectors import parse

# Low, so that no definition takes a name from a built-in group (kube-aggregator's autoregister).
_GROUP_PRIORITY = 1000
_VERSION_PRIORITY = 100
_FOLLOWS = "true"


class CustomApiServices:
    """Brings the APIServices in line with the kinds that are served."""

    def __init__(self, writer: Writer, cache: WatchCache, kinds: Kinds) -> None:
        self._writer = writer
        self._cache = cache
        self._kinds = kinds
        self._revision = -1

    async def settle(self) -> None:
        """Raises Refused, StoreError."""
        revision = self._kinds.revision
        if revision == self._revision:
            return
        custom = (kind.resource for kind in self._kinds if kind.custom is not None)
        wanted = {f"{it.version}.{it.group}": (it.group, it.version) for it in custom}
        kind = self._kinds.of(API_SERVICES)
        managed = Selection(labels=parse(f"{MANAGED}={_FOLLOWS}"))
        for stored in list(self._cache.of(API_SERVICES).select(managed)):
            if stored.name not in wanted:
                await self._writer.remove(kind, stored)
        for name, (group, version) in wanted.items():
            if self._cache.of(API_SERVICES).get(f"/{name}") is None:
                await self._create(name, group, version)
        self._revision = revision

    async def _create(self, name: str, group: str, version: str) -> None:
        tree: Object = named(API_SERVICES, name)
        tree["metadata"]["labels"] = {MANAGED: _FOLLOWS}
        tree["spec"] = {
            "group": group,
            "version": version,
            "groupPriorityMinimum": _GROUP_PRIORITY,
            "versionPriority": _VERSION_PRIORITY,
        }
        write = Write(self._kinds.of(API_SERVICES), IDENTITY, "", new=tree, reviewed=True)
        try:
            await self._writer.create(write)
        except Refused as refusal:
            if refusal.status.get("reason") != "AlreadyExists":
                raise
