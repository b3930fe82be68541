"""What a server does beside answering: its tasks, in the order in which they begin and end."""

from sampan.control.api.admission.policies.policy_status import PolicyStatus
from sampan.control.api.aggregation.aggregator import Aggregator
from sampan.control.api.bootstrap.bootstrap import Bootstrap
from sampan.control.api.cache.selection import Selection
from sampan.control.api.custom_resources.conversion import webhook_conversion
from sampan.control.api.custom_resources.publishing import CustomResources
from sampan.control.api.parts import Parts
from sampan.control.api.upkeep.compaction import Compaction
from sampan.control.api.upkeep.event_expiry import EventExpiry
from sampan.control.api.upkeep.standing_namespaces import StandingNamespaces
from sampan.kubernetes.expressions import patience
from sampan.kubernetes.kinds.resource import SERVICES
from sampan.kubernetes.machinery.generated_names import new_uid


class Background:
    """The tasks of one server. `aggregator` also answers requests."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        writer, cache, clock = parts.writer, parts.cache, parts.clock
        self._policy_status = PolicyStatus(writer, cache, parts.kinds)
        self._custom_resources = CustomResources(
            writer,
            cache,
            parts.kinds,
            clock,
            lambda it: webhook_conversion(it, parts.webhooks, lambda: new_uid(parts.random)),
        )
        self.aggregator = Aggregator(
            writer, cache, parts.kinds, parts.settings, clock=clock, random=parts.random
        )
        self._expiry = EventExpiry(writer, cache)
        self._compaction = Compaction(parts.store, cache)
        self._bootstrap = Bootstrap(writer, cache, parts.settings, clock)
        self._namespaces = StandingNamespaces(self._bootstrap, cache)

    async def start(self) -> None:
        """Load the cache and put in place what every cluster has."""
        cache = self._parts.cache
        await cache.start()
        await self._custom_resources.load()
        self._parts.addresses.load(cache.of(SERVICES).select(Selection()))
        await self._bootstrap.run()
        self._namespaces.start()
        self.aggregator.start()
        self._expiry.start()
        self._custom_resources.start()
        self._policy_status.start()
        self._parts.quotas.start()
        self._compaction.start()

    async def close(self) -> None:
        """End every task, and at last the cache, which ends the watches."""
        await self._compaction.close()
        await self._namespaces.close()
        await self._expiry.close()
        await self._parts.quotas.close()
        await self._custom_resources.close()
        await self._policy_status.close()
        await self.aggregator.close()
        await self._parts.cache.close()
        await self._parts.proxy.close()
        await self._parts.webhooks.close()
        patience.end_threads()
