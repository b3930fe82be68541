"""Defaults of the sources of volumes, in pods and in PersistentVolumes (pkg/apis/core/v1)."""

from types import MappingProxyType
from typing import Any

from sampan.kubernetes.kinds.core.certificate_projection import DEFAULT_SECONDS
from sampan.kubernetes.kinds.core.container_defaults import default_field_reference, pull_policy
from sampan.kubernetes.kinds.core.persistent_volume_claims import default_claim_spec
from sampan.kubernetes.kinds.kind import Object

_FILE_MODE = 0o644
_TOKEN_SECONDS = 3600
_MODED_SOURCES = ("secret", "configMap", "downwardAPI", "projected")
_RADOS: dict[str, Any] = {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"}
SOURCE_DEFAULTS: MappingProxyType[str, dict[str, Any]] = MappingProxyType(
    {
        "hostPath": {"type": ""},
        "iscsi": {"iscsiInterface": "default"},
        "rbd": _RADOS,
        "azureDisk": {
            "cachingMode": "ReadWrite",
            "kind": "Shared",
            "fsType": "ext4",
            "readOnly": False,
        },
        "scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs"},
    }
)


def default_source(holder: Object) -> None:
    """The sources that pods and PersistentVolumes share; `holder` has one as its member."""
    for name in holder.keys() & SOURCE_DEFAULTS.keys():
        for key, value in SOURCE_DEFAULTS[name].items():
            holder[name].setdefault(key, value)


def default_volume(volume: Object) -> None:
    """A volume of a pod: an empty directory, when nothing else is named."""
    if volume.keys() <= {"name"}:
        volume["emptyDir"] = {}
    default_source(volume)
    for name in _MODED_SOURCES:
        if name in volume:
            volume[name].setdefault("defaultMode", _FILE_MODE)
    for item in (volume.get("downwardAPI") or {}).get("items") or ():
        default_field_reference(item)
    for source in (volume.get("projected") or {}).get("sources") or ():
        for item in (source.get("downwardAPI") or {}).get("items") or ():
            default_field_reference(item)
        if "serviceAccountToken" in source:
            source["serviceAccountToken"].setdefault("expirationSeconds", _TOKEN_SECONDS)
        if "podCertificate" in source:
            source["podCertificate"].setdefault("maxExpirationSeconds", DEFAULT_SECONDS)
    if "ephemeral" in volume:
        template = volume["ephemeral"].get("volumeClaimTemplate") or {}
        default_claim_spec(template.get("spec") or {})
    if "image" in volume and not volume["image"].get("pullPolicy"):
        volume["image"]["pullPolicy"] = pull_policy(volume["image"].get("reference", ""))
