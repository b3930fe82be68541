"""The rules of references: to the pod's own fields and resources, to keys of other objects."""

import re
from collections.abc import Collection, Iterator

from sampan.kubernetes.kinds.field_rules import check_text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery import names, quantities
from sampan.kubernetes.machinery.causes import invalid, required, unsupported

ENVIRONMENT_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
VOLUME_FIELDS = (
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
)
_KNOWN = frozenset((*ENVIRONMENT_FIELDS, *VOLUME_FIELDS, "status.phase", "spec.restartPolicy"))
_SUBSCRIPT = re.compile(r"metadata\.(annotations|labels)\['(.*)'\]")
_RESOURCES = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)
_CPU_DIVISORS = ("1m", "1")
_BYTE_DIVISORS = (
    *("1", "1k", "1M", "1G", "1T", "1P", "1E"),
    *("1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"),
)
_HUGE_PAGES = ("limits.hugepages-", "requests.hugepages-")


def check_downward_reference(
    holder: Object, field: str, fields: Collection[str], *, in_volume: bool
) -> Iterator[Cause]:
    """A file of the downward API: one of `fieldRef` and `resourceFieldRef`."""
    of_pod, of_container = holder.get("fieldRef"), holder.get("resourceFieldRef")
    if of_pod is not None:
        yield from check_field_reference(of_pod, f"{field}.fieldRef", fields)
        if of_container is not None:
            detail = "fieldRef and resourceFieldRef can not be specified simultaneously"
            yield invalid(field, "resource", detail)
    elif of_container is not None:
        path = f"{field}.resourceFieldRef"
        yield from check_resource_reference(of_container, path, in_volume=in_volume)
    else:
        yield required(field, "one of fieldRef and resourceFieldRef is required")


def check_field_reference(
    reference: Object, field: str, fields: Collection[str]
) -> Iterator[Cause]:
    """`metadata.name`, or with a key `metadata.labels['app']`; `fields` are those without."""
    path = reference.get("fieldPath", "")
    if not reference.get("apiVersion"):
        yield required(f"{field}.apiVersion")
    if not path:
        yield required(f"{field}.fieldPath")
        return
    subscript = _SUBSCRIPT.fullmatch(path)
    if subscript is not None:
        key = subscript[2].lower() if subscript[1] == "annotations" else subscript[2]
        for message in names.qualified_name(key):
            yield invalid(field, subscript[2], message)
    elif path not in _KNOWN:
        detail = f"error converting fieldPath: field label not supported: {path}"
        yield invalid(f"{field}.fieldPath", path, detail)
    elif path not in fields:
        yield unsupported(f"{field}.fieldPath", path, fields)


def check_resource_reference(reference: Object, field: str, *, in_volume: bool) -> Iterator[Cause]:
    """A container's request or limit; in a volume the container must be named."""
    resource = reference.get("resource", "")
    if in_volume and not reference.get("containerName"):
        yield required(f"{field}.containerName")
    if not resource:
        yield required(f"{field}.resource")
    elif resource not in _RESOURCES and not resource.startswith(_HUGE_PAGES):
        yield unsupported(field, resource, _RESOURCES)
    yield from _check_divisor(resource, str(reference.get("divisor", "0")), field)


def _check_divisor(resource: str, divisor: str, field: str) -> Iterator[Cause]:
    try:
        if not quantities.parse(divisor):
            return
    except quantities.InvalidQuantity:
        return
    name = resource.partition(".")[2]
    allowed = _CPU_DIVISORS if name == "cpu" else _BYTE_DIVISORS
    if divisor not in allowed:
        shown = "1m and 1" if name == "cpu" else ", ".join(allowed)
        shown_name = "local ephemeral storage" if name == "ephemeral-storage" else name
        detail = f"only divisor's values {shown} are supported with the {shown_name} resource"
        yield invalid(f"{field}.divisor", divisor, detail)


def check_key_reference(reference: Object, field: str) -> Iterator[Cause]:
    """A key of a ConfigMap or Secret."""
    if not reference.get("name"):
        yield required(f"{field}.name")
    if not reference.get("key"):
        yield required(f"{field}.key")
    else:
        yield from check_text(names.config_key, reference["key"], f"{field}.key")
