"""Publishes the cluster's certificate authority to every namespace, for pods to trust."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Caches
from sampan.control.controllers.controller import Circumstances, Controller, Watch, keys_of_self
from sampan.control.controllers.views import ConfigMap, Namespace
from sampan.kubernetes.kinds.resource import CONFIG_MAPS

ACCOUNT = COMPONENT = "root-ca-cert-publisher"
CONFIG_MAP = "kube-root-ca.crt"
_DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal "
    "endpoints such as the internal service IP or kubernetes.default.svc. No other usage is "
    "guaranteed across distributions of Kubernetes clusters."
)


class Snapshot(msgspec.Struct, frozen=True):
    namespace: Namespace
    config_map: ConfigMap | None
    certificate: str


def plan(snapshot: Snapshot, _now: datetime) -> plans.Plan:
    """Create the config map, or set right what somebody changed in it."""
    if snapshot.namespace.is_terminating:
        return plans.NOTHING
    data = {"ca.crt": snapshot.certificate}
    present = snapshot.config_map
    if present is None:
        return plans.Plan(actions=(_creation(snapshot.namespace.metadata.name, data),))
    if present.data == data:
        return plans.NOTHING
    surplus = dict.fromkeys(present.data.keys() - data.keys())
    patch = plans.Patch(
        resource=CONFIG_MAPS,
        namespace=present.metadata.namespace,
        name=present.metadata.name,
        uid=present.metadata.uid,
        body={"data": {**surplus, **data}},
    )
    return plans.Plan(actions=(patch,))


def _creation(namespace: str, data: dict[str, str]) -> plans.Create:
    metadata = {
        "name": CONFIG_MAP,
        "namespace": namespace,
        "annotations": {"kubernetes.io/description": _DESCRIPTION},
    }
    body = {
        "apiVersion": CONFIG_MAPS.group_version,
        "kind": CONFIG_MAPS.kind,
        "metadata": metadata,
        "data": data,
    }
    return plans.Create(resource=CONFIG_MAPS, namespace=namespace, body=body)


def controller(certificate: str) -> Controller[Snapshot]:
    """`certificate` is the authority as PEM."""

    def observe(caches: Caches, key: str, _circumstances: Circumstances) -> Snapshot | None:
        namespace = caches.namespaces.get(key)
        if namespace is None:
            return None
        return Snapshot(namespace, caches.config_maps.get(f"{key}/{CONFIG_MAP}"), certificate)

    return Controller(
        account=ACCOUNT,
        component=COMPONENT,
        watches=(
            Watch(lambda caches: caches.namespaces, keys_of_self),
            Watch(lambda caches: caches.config_maps, _keys_of_config_map),
        ),
        observe=observe,
        plan=plan,
    )


def _keys_of_config_map(
    _caches: Caches, old: ConfigMap | None, new: ConfigMap | None
) -> Iterable[str]:
    metadata = (new or old).metadata  # type: ignore[union-attr]
    return (metadata.namespace,) if metadata.name == CONFIG_MAP else ()
