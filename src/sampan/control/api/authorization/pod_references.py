"""To which other objects a pod refers, by their kind and name. Pure.

What a pod refers to, the node that it is bound to may read: a reference that is missed here
keeps a pod from starting, one too many gives a secret away.
"""

from collections.abc import Iterator
from typing import Any

from sampan.kubernetes.kinds.kind import Object

Reference = tuple[str, str]
"""The plural name of a resource in the pod's own namespace, and an object's name."""

ACCOUNTS, CLAIMS, DEVICE_CLAIMS = "serviceaccounts", "persistentvolumeclaims", "resourceclaims"
_SECRETS, _CONFIG_MAPS = "secrets", "configmaps"
# Volumes that name a Secret of the pod's own namespace, and the field in which they do.
_SECRET_FIELDS = {
    "azureFile": "secretName",
    "cephfs": "secretRef",
    "cinder": "secretRef",
    "csi": "nodePublishSecretRef",
    "flexVolume": "secretRef",
    "iscsi": "secretRef",
    "rbd": "secretRef",
    "scaleIO": "secretRef",
    "storageos": "secretRef",
}


def references_of(pod: Object) -> set[Reference]:
    """Everything in its namespace that a pod refers to."""
    return {it for it in _references(pod) if it[1]}


def _references(pod: Object) -> Iterator[Reference]:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    yield ACCOUNTS, spec.get("serviceAccountName", "")
    for secret in spec.get("imagePullSecrets") or ():
        yield _SECRETS, secret.get("name", "")
    for volume in spec.get("volumes") or ():
        yield from _of_volume(volume, pod["metadata"].get("name", ""))
    for group in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(group) or ():
            yield from _of_environment(container)
    for claim in spec.get("resourceClaims") or ():
        yield DEVICE_CLAIMS, claim.get("resourceClaimName", "")
    for claim in status.get("resourceClaimStatuses") or ():
        yield DEVICE_CLAIMS, claim.get("resourceClaimName", "")


def _of_volume(volume: Object, pod: str) -> Iterator[Reference]:
    yield _SECRETS, _field(volume, "secret", "secretName")
    yield _CONFIG_MAPS, _field(volume, "configMap", "name")
    yield CLAIMS, _field(volume, "persistentVolumeClaim", "claimName")
    if volume.get("ephemeral"):
        yield CLAIMS, f"{pod}-{volume.get('name', '')}"
    for source in (volume.get("projected") or {}).get("sources") or ():
        yield _SECRETS, _field(source, "secret", "name")
        yield _CONFIG_MAPS, _field(source, "configMap", "name")
    for kind, field in _SECRET_FIELDS.items():
        if kind in volume:
            given = (volume[kind] or {}).get(field) or ""
            yield _SECRETS, given.get("name", "") if isinstance(given, dict) else given


def _of_environment(container: Object) -> Iterator[Reference]:
    for variable in container.get("env") or ():
        source = variable.get("valueFrom") or {}
        yield _SECRETS, _field(source, "secretKeyRef", "name")
        yield _CONFIG_MAPS, _field(source, "configMapKeyRef", "name")
    for source in container.get("envFrom") or ():
        yield _SECRETS, _field(source, "secretRef", "name")
        yield _CONFIG_MAPS, _field(source, "configMapRef", "name")


def _field(tree: Object, *path: str) -> str:
    found: Any = tree
    for part in path:
        found = (found or {}).get(part)
    return found or ""


def secrets_of_volume(volume: Object) -> set[tuple[str, str]]:
    """Namespace and name of each Secret that a PersistentVolume names; without a namespace of its
    own a reference is in that of the claim."""
    spec = volume.get("spec") or {}
    claim = (spec.get("claimRef") or {}).get("namespace", "")
    found = set()
    for source in spec.values():
        if not isinstance(source, dict):
            continue
        for field, given in source.items():
            if field.endswith("SecretRef") or field == "secretRef":
                found.add(((given or {}).get("namespace") or claim, (given or {}).get("name", "")))
            elif field == "secretName" and isinstance(given, str):
                found.add((source.get("secretNamespace") or claim, given))
    return found
