"""The ConfigMaps and Secrets that pods of this node refer to, each watched by its name.

One watch an object, however many pods use it; it ends with its last user. A node may read no
other objects (Node authorization), so it can't watch whole namespaces.
"""

import asyncio
from collections.abc import Callable, Mapping

import msgspec

from sampan.kubernetes.client.contract import Client
from sampan.kubernetes.client.informer import Informer
from sampan.kubernetes.kinds.resource import CONFIG_MAPS, SECRETS
from sampan.node.cluster_view import ConfigMap, Secret
from sampan.node.pod_view import Pod
from sampan.node.references import Contents


class Reference(msgspec.Struct, frozen=True):
    kind: str
    namespace: str
    name: str


class _Watched:
    """One object's informer and the pods that use it."""

    def __init__(self, informer: "Informer[ConfigMap] | Informer[Secret]") -> None:
        self.informer = informer
        self.users: dict[str, Callable[[], None]] = {}


class ReferencedObjects:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._watched: dict[Reference, _Watched] = {}

    async def hold(self, pod: Pod, changed: Callable[[], None]) -> None:
        """Watch what the pod refers to; returns when the first state of all is known."""
        wanted = [self._hold(reference, pod.metadata.uid, changed) for reference in of(pod)]
        await asyncio.gather(*(item.informer.synced.wait() for item in wanted))

    def _hold(self, reference: Reference, uid: str, changed: Callable[[], None]) -> _Watched:
        watched = self._watched.get(reference)
        if watched is None:
            watched = self._watched[reference] = _Watched(self._informer(reference))
            watched.informer.on_change(lambda _old, _new: _tell(watched))
            watched.informer.start()
        watched.users[uid] = changed
        return watched

    def _informer(self, reference: Reference) -> "Informer[ConfigMap] | Informer[Secret]":
        selector = f"metadata.name={reference.name}"
        if reference.kind == "secret":
            return Informer(
                self._client,
                SECRETS,
                Secret,
                namespace=reference.namespace,
                field_selector=selector,
            )
        return Informer(
            self._client,
            CONFIG_MAPS,
            ConfigMap,
            namespace=reference.namespace,
            field_selector=selector,
        )

    async def forget(self, uid: str) -> None:
        """The pod needs nothing any more."""
        for reference, watched in tuple(self._watched.items()):
            watched.users.pop(uid, None)
            if not watched.users:
                del self._watched[reference]
                await watched.informer.close()

    def contents(self, kind: str, namespace: str) -> Mapping[str, Contents]:
        """The watched objects of a kind that exist in a namespace."""
        found: dict[str, Contents] = {}
        for reference, watched in self._watched.items():
            if (reference.kind, reference.namespace) == (kind, namespace):
                item = watched.informer.get(namespace, reference.name)
                if item is not None:
                    found[reference.name] = item.contents()
        return found

    async def close(self) -> None:
        watched, self._watched = self._watched, {}
        await asyncio.gather(*(item.informer.close() for item in watched.values()))


def _tell(watched: _Watched) -> None:
    for changed in tuple(watched.users.values()):
        changed()


def of(pod: Pod) -> frozenset[Reference]:
    """Every ConfigMap and Secret that a pod's volumes and environments name."""
    names = {("configmap", name) for name in _config_maps(pod)}
    names |= {("secret", name) for name in _secrets(pod)}
    return frozenset(Reference(kind, pod.metadata.namespace, name) for kind, name in names if name)


def _config_maps(pod: Pod) -> set[str]:
    found = {volume.config_map.name for volume in pod.spec.volumes if volume.config_map}
    for volume in pod.spec.volumes:
        sources = volume.projected.sources if volume.projected else ()
        found |= {source.config_map.name for source in sources if source.config_map}
    for container in pod.all_containers:
        found |= {item.config_map_ref.name for item in container.env_from if item.config_map_ref}
        found |= {
            variable.value_from.config_map_key_ref.name
            for variable in container.env
            if variable.value_from and variable.value_from.config_map_key_ref
        }
    return found


def _secrets(pod: Pod) -> set[str]:
    found = {volume.secret.secret_name for volume in pod.spec.volumes if volume.secret}
    for volume in pod.spec.volumes:
        sources = volume.projected.sources if volume.projected else ()
        found |= {source.secret.name for source in sources if source.secret}
    for container in pod.all_containers:
        found |= {item.secret_ref.name for item in container.env_from if item.secret_ref}
        found |= {
            variable.value_from.secret_key_ref.name
            for variable in container.env
            if variable.value_from and variable.value_from.secret_key_ref
        }
    return found
