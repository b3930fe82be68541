"""Which manifests are one image, and which image was made from which: what the names of a store
tell, grouped once for each state of them. What is in an image is not known here."""

from collections.abc import Callable, Mapping

from sampan.engine.images.names import Names


class Lineage:
    """`names` gives the store's present ones, `identifier_of` an image's identifier for its
    manifest, "" for one that can't be read."""

    def __init__(self, names: Callable[[], Names], identifier_of: Callable[[str], str]) -> None:
        self._names = names
        self._identifier_of = identifier_of
        self._grouped: Names | None = None
        self._groups: dict[str, set[str]] = {}
        self._parents: set[str] = set()

    def manifests(self) -> Mapping[str, set[str]]:
        """Those in the index, by the identifier of the image that they lead to."""
        names = self._names()
        if self._grouped is not names:
            self._groups = {}
            for manifest in names.images:
                if identifier := self._identifier_of(manifest):
                    self._groups.setdefault(identifier, set()).add(manifest)
            self._parents = {known.parent for known in names.images.values() if known.parent}
            self._grouped = names
        return self._groups

    def same(self, identifier: str) -> set[str]:
        """The manifests that lead to one image."""
        return self.manifests().get(identifier, set())

    def has_children(self, identifier: str) -> bool:
        """Whether another image was made from this one, and says so."""
        self.manifests()
        return identifier in self._parents

    def parent_of(self, identifier: str) -> str:
        """What an image was made from, "" if that isn't known."""
        known = (self._names().images[each] for each in self.same(identifier))
        return next((it.parent for it in known if it.parent), "")

    def is_intermediate(self, identifier: str) -> bool:
        """Whether an image only served to make another one: it has children, but no name."""
        names, manifests = self._names(), self.same(identifier)
        return self.has_children(identifier) and not (
            names.tags_of(manifests) or names.digests_of(manifests)
        )
