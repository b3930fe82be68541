"""All that it takes to serve APIs of other servers under this one's address."""

from collections.abc import Callable
from datetime import datetime
from random import Random

from sampan.control.api.aggregation.api_services import ApiServices
from sampan.control.api.aggregation.availability import AvailabilityKeeper
from sampan.control.api.aggregation.custom_services import CustomServices
from sampan.control.api.aggregation.remote_versions import RemoteVersions
from sampan.control.api.aggregation.server_check import ServerCheck
from sampan.control.api.aggregation.servers import Servers
from sampan.control.api.aggregation.stage import Aggregation
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.settings import ApiSettings
from sampan.control.api.writing.writer import Writer
from sampan.kubernetes.kinds.registry import Kinds


class Aggregator:
    """`stage` passes requests on; `versions` is what other servers say that they serve."""

    def __init__(
        self,
        writer: Writer,
        cache: WatchCache,
        kinds: Kinds,
        settings: ApiSettings,
        *,
        clock: Callable[[], datetime],
        random: Random,
    ) -> None:
        self._services = services = ApiServices(cache)
        servers = Servers(cache, settings.front_proxy_client, random)
        self.versions = RemoteVersions(services)
        check = ServerCheck(cache, servers, self.versions)
        self._availability = AvailabilityKeeper(writer, cache, services, check, clock)
        self.stage = Aggregation(services, servers, self._availability.look_again)
        self._custom = CustomServices(writer, cache, kinds)

    def start(self) -> None:
        """When the cache is loaded."""
        self._services.load()
        self._availability.start()
        self._custom.start()

    async def close(self) -> None:
        await self._custom.close()
        await self._availability.close()
