"""PersistentVolume: storage that is there, for one claim at a time."""

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import AGE, NAME, part, text
from sampan.kubernetes.kinds.core.persistent_volume_validation import volume_rules
from sampan.kubernetes.kinds.core.volume_defaults import default_source
from sampan.kubernetes.kinds.core.volume_modes import access_modes_text, storage_class, volume_mode
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import PERSISTENT_VOLUMES


def _default(volume: Object) -> None:
    """pkg/apis/core/v1 SetDefaults_PersistentVolume."""
    spec = volume.setdefault("spec", {})
    spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
    spec.setdefault("volumeMode", "Filesystem")
    default_source(spec)


def _prepare(new: Object, old: Object | None) -> None:
    strategies.keep_status(new, old)
    if old is None:
        new["status"] = {"phase": "Pending"}
        created = new["metadata"].get("creationTimestamp")
        if created:
            new["status"]["lastPhaseTransitionTime"] = created


def _phase(volume: Object) -> str:
    if volume["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return part(volume, "status", "phase") or ""


def _claim(volume: Object) -> str:
    claim = part(volume, "spec", "claimRef")
    return f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else ""


PERSISTENT_VOLUME = make(
    PERSISTENT_VOLUMES,
    default=_default,
    rules=volume_rules,
    prepare=_prepare,
    status=True,
    short_names=("pv",),
    renamed={"name": "metadata.name"},
    columns=(
        NAME,
        text("Capacity", lambda it: part(it, "spec", "capacity", "storage") or "", about="Size."),
        text(
            "Access Modes",
            lambda it: access_modes_text(part(it, "spec", "accessModes")),
            about="How the volume may be mounted.",
        ),
        text(
            "Reclaim Policy",
            lambda it: part(it, "spec", "persistentVolumeReclaimPolicy") or "",
            about="What becomes of the volume when its claim has gone.",
        ),
        text("Status", _phase, about="Whether a claim has the volume."),
        text("Claim", _claim, about="The claim that has the volume."),
        text("StorageClass", storage_class, about="What provided the volume."),
        text(
            "VolumeAttributesClass",
            lambda it: part(it, "spec", "volumeAttributesClassName") or "<unset>",
            about="The changeable attributes of the volume.",
        ),
        text("Reason", lambda it: part(it, "status", "reason") or "", about="Why it failed."),
        AGE,
        text("VolumeMode", volume_mode, 1, "Whether there is a filesystem on the volume."),
    ),
)
