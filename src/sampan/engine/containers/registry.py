"""The containers that there are: found by name, identifier or the start of one; written down.

A name is taken from the moment that somebody asks for it.
"""

from collections.abc import Iterator

from sampan.engine.containers import names
from sampan.engine.containers.container import ManagedContainer
from sampan.engine.containers.parts import Parts
from sampan.engine.containers.record import KIND, ContainerRecord, decoded, encoded
from sampan.engine.contract import (
    ContainerNotFound,
    Forbidden,
    InvalidConfiguration,
    NameInUse,
)
from sampan.engine.events import EventKind

_EVENT_KIND: EventKind = "container"


class Registry:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._containers: dict[str, ManagedContainer] = {}
        self._names: dict[str, str] = {}

    def __iter__(self) -> Iterator[ManagedContainer]:
        return iter(tuple(self._containers.values()))

    def find(self, reference: str) -> ManagedContainer:
        """By identifier, name, or an unambiguous start of an identifier, in this order.

        Raises ContainerNotFound, InvalidConfiguration when several begin so.
        """
        plain = reference.removeprefix("/")
        found = self._containers.get(plain)
        found = found or self._containers.get(self._names.get(plain, ""))
        if found is not None:
            return found
        alike = [it for key, it in self._containers.items() if plain and key.startswith(plain)]
        if len(alike) > 1:
            raise InvalidConfiguration(f"Multiple IDs found with provided prefix: {plain[:64]}")
        if not alike:
            raise ContainerNotFound(f"No such container: {reference[:300]}")
        return alike[0]

    def find_own(self, reference: str) -> ManagedContainer:
        """One that is the machine's own: its life is ours to decide.

        Raises Forbidden for another engine's, ContainerNotFound, InvalidConfiguration.
        """
        container = self.find(reference)
        if container.keeper:
            raise Forbidden(
                f"container {container.record.name} belongs to {container.keeper}: it can be "
                "looked at, entered and stopped here; the rest is for who made it there"
            )
        return container

    def get(self, identifier: str) -> ManagedContainer | None:
        return self._containers.get(identifier)

    def take_name(self, name: str, identifier: str) -> str:
        """Reserve a name, or a made up one for "". Raises NameInUse, InvalidConfiguration."""
        wanted = names.checked(name) if name else ""
        wanted = wanted or names.made_up(self._names, self._parts.random_source)
        holder = self._names.get(wanted)
        if holder is not None and holder != identifier:
            raise NameInUse(
                f'Conflict. The container name "/{wanted}" is already in use by container '
                f'"{holder}". You have to remove (or rename) that container to be able to reuse '
                "that name."
            )
        self._names[wanted] = identifier
        return wanted

    def free_name(self, name: str) -> None:
        self._names.pop(name, None)

    def add(self, container: ManagedContainer) -> None:
        self._containers[container.identifier] = container
        self._names.setdefault(container.record.name, container.identifier)

    def discard(self, container: ManagedContainer) -> None:
        self._containers.pop(container.identifier, None)
        if self._names.get(container.record.name) == container.identifier:
            self.free_name(container.record.name)

    async def save(self, record: ContainerRecord) -> None:
        """On the disk when it returns. Raises EngineError."""
        await self._parts.state.put(KIND, record.identifier, encoded(record))

    async def forget(self, identifier: str) -> None:
        await self._parts.state.delete(KIND, identifier)

    async def saved(self) -> list[ContainerRecord]:
        """The records that an earlier process has left. Raises EngineError."""
        documents = await self._parts.state.documents(KIND)
        return [decoded(document) for document in documents.values()]

    def publish(self, container: ManagedContainer, action: str, **attributes: str) -> None:
        """Tell of an event with what Docker says of every container's."""
        record = container.record
        labels = record.configuration.labels or {}
        known = {"image": record.configuration.image, "name": record.name}
        self._parts.events.publish(
            _EVENT_KIND, action, record.identifier, {**labels, **known, **attributes}
        )
