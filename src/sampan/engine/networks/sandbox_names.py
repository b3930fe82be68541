"""Who knows whom by which name: the names of all networks, told to each sandbox's name server."""

from ipaddress import IPv4Address, ip_address

from sampan.engine.networks.container_files import name_servers
from sampan.engine.networks.endpoint_plan import endpoint_names, link_aliases
from sampan.engine.networks.live_sandbox import LiveSandbox, SandboxResolvers
from sampan.engine.networks.record import NetworkRecord
from sampan.engine.networks.sandbox_record import PlacedEndpoint
from sampan.network.bridges.name_server import NameServer
from sampan.network.bridges.names import NetworkNames
from sampan.network.bridges.namespaces import NAME_SERVER
from sampan.network.dns_process import RESOLVER_FILES
from sampan.network.dns_upstream import FixedResolvers, NameServers, Resolvers


class SandboxNames:
    def __init__(self) -> None:
        self._networks: dict[str, NetworkNames] = {}
        self._servers: set[NameServer] = set()
        self._machine = Resolvers(RESOLVER_FILES, IPv4Address(NAME_SERVER))

    async def start(self, live: LiveSandbox) -> None:
        """Answer in a sandbox's namespace (OSError)."""
        if live.namespace is None:
            return
        chosen = name_servers(live.record.request.dns)
        outside: NameServers = FixedResolvers(chosen) if chosen else self._machine
        live.name_server = NameServer(live.namespace, live.names, SandboxResolvers(live, outside))
        self._servers.add(live.name_server)
        await live.name_server.start()

    def join(
        self, live: LiveSandbox, endpoint: PlacedEndpoint, network: NetworkRecord | None
    ) -> None:
        """Let a sandbox know the network's names, and the network its."""
        if network is None or not network.has_names:
            return
        names = self._networks.setdefault(network.identifier, NetworkNames(network.name))
        identity = live.record.identity
        own = endpoint_names(network, identity, endpoint.settings) or (identity.name,)
        names.set_member(identity.identifier, own, map(ip_address, endpoint.addresses()))
        live.names.join(network.identifier, names, link_aliases(endpoint.settings))
        self._changed()

    def leave(self, live: LiveSandbox, endpoint: PlacedEndpoint) -> None:
        """The other way round."""
        names = self._networks.get(endpoint.network)
        if names is None:
            return
        names.remove_member(live.record.identity.identifier)
        live.names.leave(endpoint.network)
        if not names.has_members():
            del self._networks[endpoint.network]
        self._changed()

    def stop(self, live: LiveSandbox) -> None:
        """Forget a sandbox and close its name server; no error if it has none."""
        for endpoint in live.record.endpoints:
            self.leave(live, endpoint)
        if live.name_server is not None:
            self._servers.discard(live.name_server)
            live.name_server.close()
            live.name_server = None
        elif live.namespace is not None:
            live.namespace.close()

    def _changed(self) -> None:
        for server in self._servers:
            server.forget()
