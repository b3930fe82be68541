"""Removing images from the store, one or many, by the rules of `removal`."""

from collections.abc import Callable, Mapping

from sampan.engine.images.contract import ImageDetail, Pruned, Removed
from sampan.engine.images.details import detail_of
from sampan.engine.images.layers import chain_identifiers
from sampan.engine.images.reference import familiar
from sampan.engine.images.removal import Standing, may_go_with_child, plan_removal
from sampan.engine.images.store import ImageStore, StoredImage

Publish = Callable[[str, str, Mapping[str, str]], None]


class ImageRemover:
    """`is_running` tells of a container that holds an image whether it runs."""

    def __init__(
        self, store: ImageStore, publish: Publish, is_running: Callable[[str], bool]
    ) -> None:
        self._store = store
        self._publish = publish
        self._is_running = is_running

    async def remove(self, reference: str, *, force: bool, prune_parents: bool) -> list[Removed]:
        """Raises ImageNotFound, ImageInUse, InvalidReference."""
        manifest, name = self._store.find(reference)
        image = self._store.stored(manifest)
        plan = plan_removal(reference, name, self._standing(image), force=force)
        await self._store.change_names(lambda names: names.without_names(set(plan.names)))
        removed = [Removed(untagged=familiar(each)) for each in plan.names]
        for each in plan.names:
            self._publish("untag", image.identifier, {"name": familiar(each)})
        if plan.is_whole:
            removed += await self._delete(image, prune_parents=prune_parents)
        return removed

    async def prune(self, is_wanted: Callable[[ImageDetail], bool]) -> Pruned:
        """Remove what nobody wants and nothing holds; the space that it took on the disk."""
        removed: list[Removed] = []
        before = self._store.blobs.total(), self._unpacked()
        for image in self._store.distinct():
            if not self._store.same(image):
                continue  # it went with one that was made from it
            detail = detail_of(self._store, image)
            standing = self._standing(image)
            if standing.running or standing.stopped or standing.has_children or is_wanted(detail):
                continue
            removed += [Removed(untagged=name) for name in (*detail.tags, *detail.digests)]
            for name in (*detail.tags, *detail.digests):
                self._publish("untag", image.identifier, {"name": name})
            removed += await self._delete(image, prune_parents=True)
        after = self._store.blobs.total(), self._unpacked()
        space = sum(before) - sum(after)
        self._publish("prune", "", {"reclaimed": str(space)})
        return Pruned(removed=tuple(removed), space=space)

    async def _delete(self, image: StoredImage, *, prune_parents: bool) -> list[Removed]:
        manifests = self._store.same(image)
        parent = self._store.lineage.parent_of(image.identifier)
        is_unpacked = self._store.layers.is_unpacked
        chain = [each for each in chain_identifiers(image.diff_ids) if is_unpacked(each)]
        await self._store.change_names(lambda names: names.without_images(manifests))
        await self._store.collect()
        self._publish("delete", image.identifier, {"name": image.identifier})
        removed = [Removed(deleted=image.identifier)]
        removed += [Removed(deleted=each) for each in reversed(chain) if not is_unpacked(each)]
        above = self._store.identified(parent) if prune_parents else None
        if above is not None and may_go_with_child(self._standing(above)):
            removed += await self._delete(above, prune_parents=True)
        return removed

    def _standing(self, image: StoredImage) -> Standing:
        manifests = self._store.same(image)
        holders = self._store.leases.holders(manifests)
        running = tuple(each for each in holders if self._is_running(each))
        names = self._store.names
        return Standing(
            identifier=image.identifier,
            tags=names.tags_of(manifests),
            digests=names.digests_of(manifests),
            has_children=self._store.lineage.has_children(image.identifier),
            running=running,
            stopped=tuple(each for each in holders if each not in running),
        )

    def _unpacked(self) -> int:
        return sum(map(self._store.layers.size, self._store.layers.chains()))
