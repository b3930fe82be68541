"""VolumeAttachment: a volume that is, or shall be, attached to a node."""

from collections.abc import Iterator

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import AGE, NAME, part, text
from sampan.kubernetes.kinds.field_rules import check_driver_name, check_text
from sampan.kubernetes.kinds.kind import Cause, Column, Object
from sampan.kubernetes.kinds.object_metadata import check_immutable
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import VOLUME_ATTACHMENTS
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import forbidden, invalid, required, too_long

_MAXIMUM_METADATA = 256 << 10
_LONGEST_MESSAGE = 1024
_ONE_SOURCE = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"


def _default(attachment: Object) -> None:
    status = attachment.get("status")
    if status is not None:
        status.setdefault("attached", False)


def _rules(new: Object, old: Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    yield from check_driver_name(spec.get("attacher", ""), "spec.attacher")
    yield from _check_source(spec.get("source") or {})
    yield from check_text(names.subdomain, spec.get("nodeName", ""), "spec.nodeName")
    status = new.get("status") or {}
    metadata = status.get("attachmentMetadata") or {}
    if sum(len(key) + len(value) for key, value in metadata.items()) > _MAXIMUM_METADATA:
        yield too_long("status.attachmentMetadata", _MAXIMUM_METADATA)
    for name in ("attachError", "detachError"):
        error, field = status.get(name) or {}, f"status.{name}"
        if len(error.get("message", "")) > _LONGEST_MESSAGE:
            yield too_long(f"{field}.message", _LONGEST_MESSAGE)
        if error.get("errorCode", 0) < 0:
            detail = "must be between 0 and 2147483647, inclusive"
            yield invalid(f"{field}.errorCode", error["errorCode"], detail)
    if old is not None:
        yield from check_immutable(spec, old.get("spec") or {}, "spec")


def _check_source(source: Object) -> Iterator[Cause]:
    named = "persistentVolumeName" in source
    if named and "inlineVolumeSpec" in source:
        yield forbidden("spec.source", _ONE_SOURCE)
    elif not named and "inlineVolumeSpec" not in source:
        yield required("spec.source", _ONE_SOURCE)
    elif named:
        field = "spec.source.persistentVolumeName"
        if not source["persistentVolumeName"]:
            yield required(field, "must specify non empty persistentVolumeName")
        else:
            yield from check_text(names.subdomain, source["persistentVolumeName"], field)


VOLUME_ATTACHMENT = make(
    VOLUME_ATTACHMENTS,
    default=_default,
    rules=_rules,
    prepare_status=strategies.only_status,
    status=True,
    columns=(
        NAME,
        Column(
            name="Attacher",
            type="string",
            format="name",
            cell=lambda obj, _now: part(obj, "spec", "attacher") or "",
            description="The driver that must attach the volume.",
        ),
        text(
            "PV",
            lambda obj: part(obj, "spec", "source", "persistentVolumeName") or "",
            about="The volume to attach.",
        ),
        text(
            "Node",
            lambda obj: part(obj, "spec", "nodeName") or "",
            about="The node that the volume is attached to.",
        ),
        Column(
            name="Attached",
            type="boolean",
            cell=lambda obj, _now: bool(part(obj, "status", "attached")),
            description="Whether the volume is attached.",
        ),
        AGE,
    ),
)
