"""The containers that an engine follows, by identifier and by name, and who is told of them."""

from collections.abc import Callable, Iterator

from sampan.engine.contract import Conflict, ContainerNotFound, ContainerStatus, NameInUse
from sampan.engine.runtime.followed import FollowedContainer
from sampan.engine.runtime.record import ContainerRecord


class Roster:
    """`follow` makes what follows a record; it gets whom to tell of each change."""

    def __init__(
        self,
        follow: Callable[[ContainerRecord, Callable[[FollowedContainer], None]], FollowedContainer],
    ) -> None:
        self._follow = follow
        self._containers: dict[str, FollowedContainer] = {}
        self._names: dict[str, str] = {}
        self._callbacks: list[Callable[[ContainerStatus], None]] = []
        self._removal_callbacks: list[Callable[[str], None]] = []

    def __iter__(self) -> Iterator[FollowedContainer]:
        return iter(tuple(self._containers.values()))

    def __contains__(self, identifier: str) -> bool:
        return identifier in self._containers

    def reserve(self, name: str, identifier: str) -> None:
        """Keep a name and an identifier for a container in the making.

        Raises NameInUse, Conflict.
        """
        if name in self._names:
            raise NameInUse(f"the name {name!r} is in use")
        if identifier in self._containers:
            raise Conflict(f"there is a container {identifier!r} already")
        self._names[name] = identifier

    def give_up(self, name: str) -> None:
        """Free the name of a container that was not made."""
        del self._names[name]

    def add(self, record: ContainerRecord) -> FollowedContainer:
        container = self._follow(record, self.tell)
        self._containers[record.identifier] = container
        self._names[record.configuration.name] = record.identifier
        return container

    def remove(self, record: ContainerRecord) -> None:
        del self._containers[record.identifier]
        del self._names[record.configuration.name]
        for callback in self._removal_callbacks:
            callback(record.identifier)

    def find(self, reference: str) -> FollowedContainer:
        """By identifier or name. Raises ContainerNotFound."""
        container = self._containers.get(self._names.get(reference, reference))
        if container is None:
            raise ContainerNotFound(f"there is no container {reference!r}")
        return container

    def find_running(self, reference: str) -> FollowedContainer:
        """Raises ContainerNotFound, and Conflict for one that does not run."""
        container = self.find(reference)
        if container.record.phase != "running":
            raise Conflict(f"container {container.record.configuration.name} is not running")
        return container

    def find_record(self, reference: str) -> ContainerRecord:
        """Raises ContainerNotFound."""
        return self.find(reference).record

    def on_change(self, callback: Callable[[ContainerStatus], None]) -> None:
        self._callbacks.append(callback)

    def on_removal(self, callback: Callable[[str], None]) -> None:
        self._removal_callbacks.append(callback)

    def tell(self, container: FollowedContainer) -> None:
        """Let everyone know of a container's present status."""
        status = container.record.status()
        for callback in self._callbacks:
            callback(status)
