"""The rules of volumes' sources: what each kind of storage must name.

They hold for the volumes of pods and for PersistentVolumes (pkg/apis/core/validation).
"""

from collections.abc import Iterator

from sampan.kubernetes.kinds.core.paths import check_no_ascent
from sampan.kubernetes.kinds.field_rules import check_choice, check_text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import invalid, required

SOURCES = (
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "csi",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "glusterfs",
    "hostPath",
    "iscsi",
    "local",
    "nfs",
    "photonPersistentDisk",
    "portworxVolume",
    "quobyte",
    "rbd",
    "scaleIO",
    "storageos",
    "vsphereVolume",
)
"""Those that a PersistentVolume may have."""

_REQUIRED: dict[str, tuple[str, ...]] = {
    "awsElasticBlockStore": ("volumeID",),
    "azureDisk": ("diskName", "diskURI"),
    "azureFile": ("secretName", "shareName"),
    "cephfs": ("monitors",),
    "cinder": ("volumeID",),
    "csi": ("driver",),
    "flexVolume": ("driver",),
    "gcePersistentDisk": ("pdName",),
    "glusterfs": ("endpoints", "path"),
    "hostPath": ("path",),
    "iscsi": ("targetPortal", "iqn"),
    "local": ("path",),
    "nfs": ("server", "path"),
    "photonPersistentDisk": ("pdID",),
    "portworxVolume": ("volumeID",),
    "quobyte": ("registry", "volume"),
    "rbd": ("monitors", "image"),
    "scaleIO": ("gateway", "system", "volumeName"),
    "vsphereVolume": ("volumePath",),
    "gitRepo": ("repository",),
    "secret": ("secretName",),
    "configMap": ("name",),
    "persistentVolumeClaim": ("claimName",),
    "image": ("reference",),
}
_HOST_PATH_TYPES = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_LONGEST_DRIVER = 63


def check_volume_source(
    name: str, source: Object, field: str, *, persistent: bool = False
) -> Iterator[Cause]:
    """One source, under its field's name; `persistent` for that of a PersistentVolume."""
    for key in _REQUIRED.get(name, ()):
        if not source.get(key):
            yield required(f"{field}.{key}")
    if name == "hostPath":
        yield from check_no_ascent(source.get("path", ""), f"{field}.path")
        yield from check_choice(source, "type", _HOST_PATH_TYPES, field)
    elif name == "nfs":
        path = source.get("path", "")
        if path and not path.startswith("/"):
            yield invalid(f"{field}.path", path, "must be an absolute path")
    elif name == "local":
        yield from check_no_ascent(source.get("path", ""), f"{field}.path")
    elif name == "csi":
        yield from _check_driver(source, field, persistent=persistent)
    elif name == "image":
        yield from check_choice(source, "pullPolicy", _PULL_POLICIES, field)
    elif name == "gitRepo":
        yield from check_no_ascent(source.get("directory", ""), f"{field}.directory")


def _check_driver(source: Object, field: str, *, persistent: bool) -> Iterator[Cause]:
    driver = source.get("driver", "")
    if len(driver) > _LONGEST_DRIVER:
        yield Cause(
            f"{field}.driver",
            "FieldValueTooLong",
            f"Too long: may not be more than {_LONGEST_DRIVER} bytes",
        )
    if driver:
        yield from check_text(names.subdomain, driver.lower(), f"{field}.driver")
    if persistent and not source.get("volumeHandle"):
        yield required(f"{field}.volumeHandle")
