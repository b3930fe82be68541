"""The networks that there are, by name, by identifier and by the start of one. No I/O."""

from collections.abc import Iterable, Iterator

from sampan.engine.contract import Conflict, InvalidConfiguration, NotFound
from sampan.engine.networks.contract import DEFAULT_MODE, PREDEFINED
from sampan.engine.networks.record import NetworkRecord


class NetworkRegistry:
    def __init__(self, networks: Iterable[NetworkRecord] = ()) -> None:
        self._networks = {network.identifier: network for network in networks}

    def __iter__(self) -> Iterator[NetworkRecord]:
        """The predefined ones first, then by name."""
        order = {name: position for position, name in enumerate(PREDEFINED)}
        last = len(order)
        return iter(
            sorted(
                self._networks.values(),
                key=lambda network: (order.get(network.name, last), network.name),
            )
        )

    def find(self, reference: str) -> NetworkRecord:
        """Raises NotFound, InvalidConfiguration when it begins several identifiers."""
        wanted = "bridge" if reference in ("", DEFAULT_MODE) else reference
        if wanted in self._networks:
            return self._networks[wanted]
        for network in self._networks.values():
            if network.name == wanted:
                return network
        found = [each for each in self._networks.values() if each.identifier.startswith(wanted)]
        if len(found) > 1:
            raise InvalidConfiguration(
                f"network {reference} is ambiguous ({len(found)} matches found on ID prefix)"
            )
        if not found:
            raise NotFound(f"network {reference} not found")
        return found[0]

    def get(self, identifier: str) -> NetworkRecord | None:
        return self._networks.get(identifier)

    def add(self, network: NetworkRecord) -> None:
        """Raises Conflict when the name is taken."""
        if any(each.name == network.name for each in self._networks.values()):
            raise Conflict(f"network with name {network.name} already exists")
        self._networks[network.identifier] = network

    def remove(self, identifier: str) -> None:
        self._networks.pop(identifier, None)
