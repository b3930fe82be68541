"""The kinds that one server knows: the built-in ones, and those that custom resources bring.

Theory: the kinds of one custom resource (all its served versions) come and go together, under
the name of their definition. Whoever keeps something made of the kinds hears of each change
after it is done. It must not know HTTP or the store.
"""

from collections.abc import Callable, Iterable, Iterator

from sampan.kubernetes.kinds.kind import Kind
from sampan.kubernetes.kinds.resource import Resource


class Kinds:
    """Look-ups of kinds, kept true while custom resources come and go."""

    def __init__(self, built_in: Iterable[Kind]) -> None:
        self._built_in = tuple(built_in)
        self._custom: dict[str, tuple[Kind, ...]] = {}
        self._listeners: list[Callable[[], None]] = []
        self.revision = 0
        """Another one after each change."""
        self._index()

    def __iter__(self) -> Iterator[Kind]:
        return iter(self.all)

    @property
    def built_in(self) -> tuple[Kind, ...]:
        """Those that no custom resource brought."""
        return self._built_in

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        """The kind served at a path, as its parts stand in a URL."""
        return self._by_plural.get((group, version, plural))

    def named(self, group: str, version: str, kind: str) -> Kind | None:
        """The kind whose objects say this apiVersion and kind."""
        return self._by_name.get((group, version, kind))

    def of(self, resource: Resource) -> Kind:
        """Raises KeyError for a resource that isn't served."""
        return self._by_plural[resource.group, resource.version, resource.plural]

    def put(self, name: str, kinds: Iterable[Kind]) -> None:
        """Serve these kinds as those of the definition `name`, in place of its former ones."""
        self._custom[name] = tuple(kinds)
        self._index()
        self._tell()

    def drop(self, name: str) -> None:
        """No longer serve the kinds of the definition `name`."""
        if self._custom.pop(name, None) is not None:
            self._index()
            self._tell()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change."""
        self._listeners.append(listener)

    def _tell(self) -> None:
        self.revision += 1
        for listener in self._listeners:
            listener()

    def _index(self) -> None:
        custom = (kind for kinds in self._custom.values() for kind in kinds)
        self.all: tuple[Kind, ...] = (*self._built_in, *custom)
        """Every kind."""
        self._by_plural = {
            (kind.resource.group, kind.resource.version, kind.resource.plural): kind
            for kind in self.all
        }
        self._by_name = {
            (kind.resource.group, kind.resource.version, kind.resource.kind): kind
            for kind in self.all
        }
