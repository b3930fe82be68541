"""The objects that pods of this node refer to, watched for as long as a pod needs them.

A ConfigMap or Secret is watched by its name, because a node may read no others (Node
authorization); ClusterTrustBundles, which volumes select by label, and the node's own
PodCertificateRequests are watched as a whole. One watch however many pods share it; it ends with
its last user.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from sampan.kubernetes.client.contract import Client
from sampan.kubernetes.client.informer import Informer
from sampan.kubernetes.kinds.resource import (
    CLUSTER_TRUST_BUNDLES,
    CONFIG_MAPS,
    POD_CERTIFICATE_REQUESTS,
    SECRETS,
    Resource,
)
from sampan.node.cluster_view import CertificateRequest, ConfigMap, Secret, TrustBundle
from sampan.node.pod_view import Pod, Projection
from sampan.node.references import Contents

_VIEWS: dict[Resource, type[Any]] = {
    CONFIG_MAPS: ConfigMap,
    SECRETS: Secret,
    CLUSTER_TRUST_BUNDLES: TrustBundle,
    POD_CERTIFICATE_REQUESTS: CertificateRequest,
}


class Reference(msgspec.Struct, frozen=True):
    """An object by its name; without one, all of the resource that the node may see."""

    resource: Resource
    namespace: str = ""
    name: str = ""


TRUST_BUNDLES = Reference(CLUSTER_TRUST_BUNDLES)
CERTIFICATE_REQUESTS = Reference(POD_CERTIFICATE_REQUESTS)


class _Watched:
    """An informer and the pods that use it, by uid."""

    def __init__(self, informer: Informer[Any]) -> None:
        self.informer = informer
        self.users: dict[str, Callable[[], None]] = {}

    def tell(self, old: Any, new: Any) -> None:
        """Tell those whom the change concerns: of a request, the pod that it is for."""
        item = new or old
        if isinstance(item, CertificateRequest):
            concerned: Iterable[str] = (item.spec.pod_uid,)
        else:
            concerned = tuple(self.users)
        for uid in concerned:
            if uid in self.users:
                self.users[uid]()


class ReferencedObjects:
    def __init__(self, client: Client, node_name: str) -> None:
        self._client = client
        self._node_name = node_name
        self._watched: dict[Reference, _Watched] = {}

    async def hold(self, pod: Pod, changed: Callable[[], None]) -> None:
        """Watch what the pod refers to; returns when the first state of all is known. May be
        called again for a pod that is held already."""
        wanted = [self._hold(reference, pod.metadata.uid, changed) for reference in of(pod)]
        await asyncio.gather(*(item.informer.synced.wait() for item in wanted))

    def _hold(self, reference: Reference, uid: str, changed: Callable[[], None]) -> _Watched:
        watched = self._watched.get(reference)
        if watched is None:
            watched = self._watched[reference] = _Watched(self._informer(reference))
            watched.informer.on_change(watched.tell)
            watched.informer.start()
        watched.users[uid] = changed
        return watched

    def _informer(self, reference: Reference) -> Informer[Any]:
        selector = f"metadata.name={reference.name}" if reference.name else ""
        if reference == CERTIFICATE_REQUESTS:
            selector = f"spec.nodeName={self._node_name}"
        return Informer(
            self._client,
            reference.resource,
            _VIEWS[reference.resource],
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

    def contents(self, resource: Resource, namespace: str) -> Mapping[str, Contents]:
        """The watched ConfigMaps or Secrets that exist in a namespace."""
        found: dict[str, Contents] = {}
        for reference, watched in self._watched.items():
            if (reference.resource, reference.namespace) == (resource, namespace):
                item = watched.informer.get(namespace, reference.name)
                if item is not None:
                    found[reference.name] = item.contents()
        return found

    def trust_bundles(self) -> tuple[TrustBundle, ...]:
        """Every ClusterTrustBundle; none while no pod needs any."""
        watched = self._watched.get(TRUST_BUNDLES)
        return tuple(watched.informer.items.values()) if watched else ()

    def certificate_request(self, namespace: str, name: str) -> CertificateRequest | None:
        """A PodCertificateRequest of this node, None while it isn't seen."""
        watched = self._watched.get(CERTIFICATE_REQUESTS)
        found = watched.informer.get(namespace, name) if watched else None
        return found if isinstance(found, CertificateRequest) else None

    async def close(self) -> None:
        watched, self._watched = self._watched, {}
        await asyncio.gather(*(item.informer.close() for item in watched.values()))


def of(pod: Pod) -> frozenset[Reference]:
    """Everything that a pod's volumes and environments need of the API."""
    namespace = pod.metadata.namespace
    named = {(CONFIG_MAPS, name) for name in _config_maps(pod)}
    named |= {(SECRETS, name) for name in _secrets(pod)}
    found = {Reference(resource, namespace, name) for resource, name in named if name}
    projections = _projections(pod)
    if any(source.cluster_trust_bundle for source in projections):
        found.add(TRUST_BUNDLES)
    if any(source.pod_certificate for source in projections):
        found.add(CERTIFICATE_REQUESTS)
    return frozenset(found)


def _projections(pod: Pod) -> tuple[Projection, ...]:
    return tuple(source for volume in pod.spec.volumes for source in volume.projections)


def _config_maps(pod: Pod) -> set[str]:
    found = {volume.config_map.name for volume in pod.spec.volumes if volume.config_map}
    found |= {source.config_map.name for source in _projections(pod) if source.config_map}
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
    found |= {source.secret.name for source in _projections(pod) if source.secret}
    found |= {secret.name for secret in pod.spec.image_pull_secrets}
    for container in pod.all_containers:
        found |= {item.secret_ref.name for item in container.env_from if item.secret_ref}
        found |= {
            variable.value_from.secret_key_ref.name
            for variable in container.env
            if variable.value_from and variable.value_from.secret_key_ref
        }
    return found
