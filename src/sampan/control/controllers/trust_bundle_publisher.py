"""Publishes whom to trust for the API server's own certificate, as a ClusterTrustBundle that pods
can mount by its signer (KEP-3257).

The bundle's name follows from what is in it: another authority has another bundle, and those
before are taken away.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime

import msgspec

from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Caches
from sampan.control.controllers.controller import Circumstances, Controller, Watch
from sampan.control.controllers.identity_views import TrustBundle
from sampan.control.controllers.views import Namespace
from sampan.kubernetes.client.contract import Object
from sampan.kubernetes.kinds.certificates.signer_names import API_SERVER_SERVING
from sampan.kubernetes.kinds.resource import CLUSTER_TRUST_BUNDLES

ACCOUNT = COMPONENT = "kube-apiserver-serving-clustertrustbundle-publisher"
_KEY = "bundle"
_FIRST_NAMESPACE = "kube-system"
_SHOWN_DIGITS = 16


class Snapshot(msgspec.Struct, frozen=True):
    """`bundles` are all of the signer; `certificate` is the authority as PEM."""

    bundles: tuple[TrustBundle, ...]
    certificate: str


def plan(snapshot: Snapshot, _now: datetime) -> plans.Plan:
    """Create the bundle or set it right, then take others of the signer away."""
    wanted = _body(snapshot.certificate)
    name = wanted["metadata"]["name"]
    actions: list[plans.Action] = []
    present = {bundle.metadata.name: bundle for bundle in snapshot.bundles}
    own = present.pop(name, None)
    if own is None:
        actions.append(plans.Create(resource=CLUSTER_TRUST_BUNDLES, body=wanted))
    elif own.spec.trust_bundle != snapshot.certificate:
        version = {"resourceVersion": own.metadata.resource_version}
        body = {**wanted, "metadata": {**wanted["metadata"], **version}}
        actions.append(plans.Update(resource=CLUSTER_TRUST_BUNDLES, body=body))
    for other in present.values():
        metadata = other.metadata
        actions.append(
            plans.Delete(resource=CLUSTER_TRUST_BUNDLES, name=metadata.name, uid=metadata.uid)
        )
    return plans.Plan(actions=tuple(actions))


def _body(certificate: str) -> Object:
    digest = hashlib.sha256(certificate.encode()).hexdigest()[:_SHOWN_DIGITS]
    return {
        "apiVersion": CLUSTER_TRUST_BUNDLES.group_version,
        "kind": CLUSTER_TRUST_BUNDLES.kind,
        "metadata": {"name": f"{API_SERVER_SERVING.replace('/', ':')}:{digest}"},
        "spec": {"signerName": API_SERVER_SERVING, "trustBundle": certificate},
    }


def controller(certificate: str) -> Controller[Snapshot]:
    """`certificate` is the authority as PEM."""

    def observe(caches: Caches, _key: str, _circumstances: Circumstances) -> Snapshot:
        return Snapshot(caches.trust_bundles.all(), certificate)

    return Controller(
        account=ACCOUNT,
        component=COMPONENT,
        watches=(
            Watch(lambda caches: caches.trust_bundles, lambda *_change: (_KEY,)),
            # Where there is no bundle yet, it is this namespace that wakes the plan.
            Watch(lambda caches: caches.namespaces, _keys_of_namespace),
        ),
        observe=observe,
        plan=plan,
        workers=1,
    )


def _keys_of_namespace(
    _caches: Caches, _old: Namespace | None, new: Namespace | None
) -> Iterable[str]:
    return (_KEY,) if new is not None and new.metadata.name == _FIRST_NAMESPACE else ()
