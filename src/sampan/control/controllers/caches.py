"""The controllers' common view of the cluster, with the indexes that their questions need.

Each cache follows one informer. All controllers read these; nobody changes what lies in them.
No rule of any controller lives here.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from sampan.control.controllers import identity_views, views
from sampan.control.controllers.plan import Head, HeadMetadata
from sampan.kubernetes.kinds import resource as resources
from sampan.kubernetes.kinds.certificates.signer_names import API_SERVER_SERVING
from sampan.kubernetes.kinds.resource import Resource
from sampan.kubernetes.machinery.metadata import Metadata
from sampan.kubernetes.machinery.token_secrets import ACCOUNT_NAME, ACCOUNT_TYPE, BOOTSTRAP_TYPE


class HasMetadata(Protocol):
    """A view of a kind."""

    @property
    def metadata(self) -> Metadata | HeadMetadata: ...


ViewT = TypeVar("ViewT", bound=HasMetadata)
Listener = Callable[[Any, Any], None]
IndexKeys = Callable[[Any], Iterable[str]]


def by_namespace(view: HasMetadata) -> Iterable[str]:
    """Index an object by the namespace that it lies in."""
    return (view.metadata.namespace,)


def by_controller(view: views.Pod | views.ReplicaSet | views.EndpointSlice) -> Iterable[str]:
    """Index an object by its controller's uid; an object without one by its namespace."""
    owner = view.metadata.controller
    return (owner.uid if owner is not None else f"orphans/{view.metadata.namespace}",)


def by_owner(view: HasMetadata) -> Iterable[str]:
    """Index an object by the uids of its owners."""
    return {owner.uid for owner in view.metadata.owner_references}


def by_phase(pod: views.Pod) -> Iterable[str]:
    """Index a pod by the phase that it is in."""
    return (pod.status.phase,)


def by_node(pod: views.Pod) -> Iterable[str]:
    """Index a pod by the node that it is bound to, the empty name for none."""
    return (pod.spec.node_name,)


def by_claim(pod: views.Pod) -> Iterable[str]:
    """Index a pod by the claims that its volumes come from: `namespace/name`."""
    metadata = pod.metadata
    for volume in pod.spec.volumes:
        if volume.persistent_volume_claim is not None:
            yield f"{metadata.namespace}/{volume.persistent_volume_claim.claim_name}"
        elif volume.ephemeral is not None:
            yield f"{metadata.namespace}/{metadata.name}-{volume.name}"


class Cache(Generic[ViewT]):
    """The objects of one resource, by key and by index."""

    def __init__(
        self,
        resource: Resource,
        view: type[ViewT],
        indexes: Mapping[str, IndexKeys],
        *,
        field_selector: str = "",
    ) -> None:
        self.resource = resource
        self.view = view
        self.field_selector = field_selector
        self.revision = 0
        self._items: dict[str, ViewT] = {}
        self._index_keys = indexes
        self._indexes: dict[str, dict[str, dict[str, ViewT]]] = {name: {} for name in indexes}
        self._listeners: list[Listener] = []
        self._waiters: list[Callable[[], None]] = []

    def get(self, key: str) -> ViewT | None:
        """The object with this key: `namespace/name`, or the name for one of the cluster."""
        return self._items.get(key)

    def all(self) -> tuple[ViewT, ...]:
        """Every object."""
        return tuple(self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def indexed(self, index: str, value: str) -> tuple[ViewT, ...]:
        """The objects that an index files under a value."""
        return tuple(self._indexes[index].get(value, {}).values())

    def values(self, index: str) -> tuple[str, ...]:
        """All values under which an index files something."""
        return tuple(self._indexes[index])

    def in_namespace(self, namespace: str) -> tuple[ViewT, ...]:
        """The objects of a namespace."""
        return self.indexed("namespace", namespace)

    def controlled_by(self, uid: str) -> tuple[ViewT, ...]:
        """The objects whose controller has this uid."""
        return self.indexed("controller", uid)

    def orphans(self, namespace: str) -> tuple[ViewT, ...]:
        """The objects of a namespace that have no controller."""
        return self.indexed("controller", f"orphans/{namespace}")

    def listen(self, listener: Listener) -> None:
        """Call `listener(old, new)` after each change."""
        self._listeners.append(listener)

    def change(self, old: ViewT | None, new: ViewT | None) -> None:
        """Take in one change of the informer."""
        if old is not None:
            self._drop(old)
        if new is not None:
            self._put(new)
        for listener in self._listeners:
            listener(old, new)
        for waiter in tuple(self._waiters):
            waiter()

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until a condition on this cache holds; whether it came to hold in time."""
        if condition():
            return True
        reached = asyncio.Event()

        def wake() -> None:
            if condition():
                reached.set()

        self._waiters.append(wake)
        try:
            async with asyncio.timeout(seconds):
                await reached.wait()
        except TimeoutError:
            return False
        finally:
            self._waiters.remove(wake)
        return True

    def _put(self, view: ViewT) -> None:
        key = _key(view)
        self._items[key] = view
        self.revision = max(self.revision, int(view.metadata.resource_version or 0))
        for name, keys in self._index_keys.items():
            for value in keys(view):
                self._indexes[name].setdefault(value, {})[key] = view

    def _drop(self, view: ViewT) -> None:
        key = _key(view)
        self._items.pop(key, None)
        for name, keys in self._index_keys.items():
            index = self._indexes[name]
            for value in keys(view):
                bucket = index.get(value, {})
                bucket.pop(key, None)
                if not bucket:
                    index.pop(value, None)


def _key(view: HasMetadata) -> str:
    metadata = view.metadata
    return f"{metadata.namespace}/{metadata.name}" if metadata.namespace else metadata.name


class Caches:
    """One cache a kind that controllers read, and the metadata of every object that can own
    another or be owned."""

    def __init__(self, owned: Iterable[Resource]) -> None:
        plain = {"namespace": by_namespace}
        controlled = {**plain, "controller": by_controller}
        self.namespaces = Cache(resources.NAMESPACES, views.Namespace, plain)
        self.nodes = Cache(resources.NODES, views.Node, plain)
        self.leases = Cache(resources.LEASES, views.Lease, plain)
        self.pods = Cache(
            resources.PODS,
            views.Pod,
            {**controlled, "node": by_node, "phase": by_phase, "claim": by_claim},
        )
        self.persistent_volumes = Cache(resources.PERSISTENT_VOLUMES, views.PersistentVolume, plain)
        self.services = Cache(resources.SERVICES, views.Service, plain)
        self.endpoint_slices = Cache(
            resources.ENDPOINT_SLICES, views.EndpointSlice, {**controlled, "service": by_service}
        )
        self.replica_sets = Cache(resources.REPLICA_SETS, views.ReplicaSet, controlled)
        self.deployments = Cache(resources.DEPLOYMENTS, views.Deployment, plain)
        self.stateful_sets = Cache(resources.STATEFUL_SETS, views.Scaled, plain)
        self.replication_controllers = Cache(
            resources.REPLICATION_CONTROLLERS, views.ReplicaSet, plain
        )
        self.disruption_budgets = Cache(
            resources.POD_DISRUPTION_BUDGETS, views.DisruptionBudget, plain
        )
        self.flow_schemas = Cache(resources.FLOW_SCHEMAS, views.FlowSchema, plain)
        self.config_maps = Cache(resources.CONFIG_MAPS, views.ConfigMap, plain)
        self.service_accounts = Cache(
            resources.SERVICE_ACCOUNTS, identity_views.ServiceAccount, plain
        )
        self.cluster_roles = Cache(resources.CLUSTER_ROLES, identity_views.ClusterRole, plain)
        self.account_tokens = Cache(
            resources.SECRETS,
            identity_views.Secret,
            {**plain, "account": by_account},
            field_selector=f"type={ACCOUNT_TYPE}",
        )
        self.bootstrap_tokens = Cache(
            resources.SECRETS,
            identity_views.Secret,
            plain,
            field_selector=f"type={BOOTSTRAP_TYPE}",
        )
        self.signing_requests = Cache(
            resources.CERTIFICATE_SIGNING_REQUESTS, identity_views.SigningRequest, plain
        )
        self.pod_certificate_requests = Cache(
            resources.POD_CERTIFICATE_REQUESTS, identity_views.PodCertificateRequest, plain
        )
        self.trust_bundles = Cache(
            resources.CLUSTER_TRUST_BUNDLES,
            identity_views.TrustBundle,
            plain,
            field_selector=f"spec.signerName={API_SERVER_SERVING}",
        )
        self.storage_version_migrations = Cache(
            resources.STORAGE_VERSION_MIGRATIONS, views.StorageVersionMigration, plain
        )
        self.heads: dict[Resource, Cache[Head]] = {}
        self._meant: dict[tuple[str, str], Resource] = {}
        self._head_listeners: list[Callable[[Cache[Head]], None]] = []
        for each in owned:
            self.add(each)

    def add(self, resource: Resource, versions: Iterable[str] = ()) -> Cache[Head]:
        """Keep the metadata of a resource's objects. References to them may also say another of
        the group's `versions`."""
        cache = Cache(resource, Head, {"namespace": by_namespace, "owner": by_owner})
        self.heads[resource] = cache
        for version in (resource.version, *versions):
            named = f"{resource.group}/{version}" if resource.group else version
            self._meant[named, resource.kind] = resource
        for listener in self._head_listeners:
            listener(cache)
        return cache

    def drop(self, resource: Resource) -> None:
        """Forget a resource that is no longer served."""
        self.heads.pop(resource, None)
        self._meant = {key: each for key, each in self._meant.items() if each != resource}

    def on_heads(self, listener: Callable[[Cache[Head]], None]) -> None:
        """Call `listener` with the cache of each resource's metadata, now and whenever a
        resource comes."""
        self._head_listeners.append(listener)
        for cache in self.heads.values():
            listener(cache)

    def meant(self, api_version: str, kind: str) -> Resource | None:
        """The resource of an object reference; None for one that is not known."""
        return self._meant.get((api_version, kind))

    def named(self, plural: str, group: str) -> Resource | None:
        """The resource of that name; None for one that is not known."""
        found = (it for it in self.heads if (it.plural, it.group) == (plural, group))
        return next(found, None)

    def kinds(self) -> tuple[Cache[Any], ...]:
        """The caches of single kinds."""
        return (
            self.namespaces,
            self.nodes,
            self.leases,
            self.pods,
            self.persistent_volumes,
            self.services,
            self.endpoint_slices,
            self.replica_sets,
            self.deployments,
            self.stateful_sets,
            self.replication_controllers,
            self.disruption_budgets,
            self.flow_schemas,
            self.config_maps,
            self.service_accounts,
            self.cluster_roles,
            self.account_tokens,
            self.bootstrap_tokens,
            self.signing_requests,
            self.pod_certificate_requests,
            self.storage_version_migrations,
            self.trust_bundles,
        )


def by_account(secret: identity_views.Secret) -> Iterable[str]:
    """Index a Secret by the service account whose token it keeps: `namespace/name`."""
    metadata = secret.metadata
    name = metadata.annotations.get(ACCOUNT_NAME, "")
    return (f"{metadata.namespace}/{name}",)


def by_service(endpoint_slice: views.EndpointSlice) -> Iterable[str]:
    """Index an EndpointSlice by its Service: `namespace/name`."""
    metadata = endpoint_slice.metadata
    name = metadata.labels.get("kubernetes.io/service-name", "")
    return (f"{metadata.namespace}/{name}",)
