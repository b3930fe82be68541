"""The rules of a pod's volumes (pkg/apis/core/validation ValidateVolumes)."""

from collections.abc import Iterator

from sampan.kubernetes.kinds.core.certificate_projection import check_certificate
from sampan.kubernetes.kinds.core.list_names import check_list_name
from sampan.kubernetes.kinds.core.paths import check_file_path, check_local_path
from sampan.kubernetes.kinds.core.persistent_volume_claims import check_claim_spec
from sampan.kubernetes.kinds.core.references import VOLUME_FIELDS, check_downward_reference
from sampan.kubernetes.kinds.core.volume_sources import check_volume_source
from sampan.kubernetes.kinds.field_rules import check_text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import check_label_selector
from sampan.kubernetes.machinery import names, quantities
from sampan.kubernetes.machinery.causes import forbidden, invalid, required

_MAXIMUM_MODE = 0o777
_MODE_MESSAGE = "must be a number between 0 and 0777 (octal), both inclusive"
_MINIMUM_TOKEN_SECONDS = 600
_MAXIMUM_TOKEN_SECONDS = 1 << 32
_MORE_THAN_ONE = "may not specify more than 1 volume type"


def check_volumes(volumes: list[Object], field: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, volume in enumerate(volumes):
        path = f"{field}[{index}]"
        yield from check_list_name(volume, path, seen)
        sources = [name for name in volume if name != "name"]
        if not sources:
            yield required(path, "must specify a volume type")
        for extra in sources[1:]:
            yield forbidden(f"{path}.{extra}", _MORE_THAN_ONE)
        for name in sources[:1]:
            yield from _check_source(name, volume[name], f"{path}.{name}")


def _check_source(name: str, source: Object, field: str) -> Iterator[Cause]:
    yield from check_volume_source(name, source, field)
    if name == "emptyDir":
        yield from _check_empty_directory(source, field)
    elif name in ("secret", "configMap"):
        yield from _check_files(source, field)
    elif name == "downwardAPI":
        yield from _check_downward_files(source, field)
    elif name == "projected":
        yield from _check_projected(source, field)
    elif name == "ephemeral":
        template = source.get("volumeClaimTemplate")
        if template is None:
            yield required(f"{field}.volumeClaimTemplate")
        else:
            path = f"{field}.volumeClaimTemplate.spec"
            yield from check_claim_spec(template.get("spec") or {}, path)


def _check_empty_directory(source: Object, field: str) -> Iterator[Cause]:
    size = source.get("sizeLimit")
    try:
        negative = size is not None and quantities.parse(size) < 0
    except quantities.InvalidQuantity:
        return
    if negative:
        detail = "SizeLimit field must be a valid resource quantity"
        yield forbidden(f"{field}.sizeLimit", detail)


def _check_mode(holder: Object, name: str, field: str) -> Iterator[Cause]:
    mode = holder.get(name)
    if mode is not None and not 0 <= mode <= _MAXIMUM_MODE:
        yield invalid(f"{field}.{name}", mode, _MODE_MESSAGE)


def _check_files(source: Object, field: str) -> Iterator[Cause]:
    """The keys of a secret or ConfigMap that become files."""
    yield from _check_mode(source, "defaultMode", field)
    for index, item in enumerate(source.get("items") or ()):
        path = f"{field}.items[{index}]"
        if not item.get("key"):
            yield required(f"{path}.key")
        yield from _check_file(item, path)


def _check_file(item: Object, field: str) -> Iterator[Cause]:
    if not item.get("path"):
        yield required(f"{field}.path")
    else:
        yield from check_file_path(item["path"], f"{field}.path")
    yield from _check_mode(item, "mode", field)


def _check_downward_files(source: Object, field: str) -> Iterator[Cause]:
    yield from _check_mode(source, "defaultMode", field)
    for index, item in enumerate(source.get("items") or ()):
        path = f"{field}.items[{index}]"
        yield from _check_file(item, path)
        yield from check_downward_reference(item, path, VOLUME_FIELDS, in_volume=True)


def _check_projected(source: Object, field: str) -> Iterator[Cause]:
    yield from _check_mode(source, "defaultMode", field)
    taken: set[str] = set()
    for index, projection in enumerate(source.get("sources") or ()):
        path = f"{field}.sources[{index}]"
        for extra in list(projection)[1:]:
            yield forbidden(f"{path}.{extra}", _MORE_THAN_ONE)
        for name in list(projection)[:1]:
            yield from _check_projection(name, projection[name], f"{path}.{name}")
            yield from _check_places(name, projection[name], path, taken)


def _check_places(name: str, source: Object, field: str, taken: set[str]) -> Iterator[Cause]:
    """No two files of a projected volume have the same path; `taken` grows."""
    held = [source] if "path" in source else source.get("items") or ()
    for item in held:
        path = item.get("path", "")
        if path and path in taken:
            shown = source.get("name", "") if name != "serviceAccountToken" else path
            yield invalid(field, shown, f"conflicting duplicate paths {path}")
        taken.add(path)


def _check_projection(name: str, source: Object, field: str) -> Iterator[Cause]:
    if name in ("secret", "configMap"):
        if not source.get("name"):
            yield required(f"{field}.name")
        yield from _check_files(source, field)
    elif name == "downwardAPI":
        yield from _check_downward_files(source, field)
    elif name == "serviceAccountToken":
        yield from _check_token(source, field)
    elif name == "clusterTrustBundle":
        yield from _check_trust(source, field)
    elif name == "podCertificate":
        yield from check_certificate(source, field)


def _check_token(source: Object, field: str) -> Iterator[Cause]:
    seconds = source.get("expirationSeconds", _MINIMUM_TOKEN_SECONDS)
    if seconds < _MINIMUM_TOKEN_SECONDS:
        detail = "may not specify a duration less than 10 minutes"
        yield invalid(f"{field}.expirationSeconds", seconds, detail)
    if seconds > _MAXIMUM_TOKEN_SECONDS:
        detail = "may not specify a duration larger than 2^32 seconds"
        yield invalid(f"{field}.expirationSeconds", seconds, detail)
    if not source.get("path"):
        yield required(f"{field}.path")
    else:
        yield from check_local_path(source["path"], f"{field}.path")


def _check_trust(source: Object, field: str) -> Iterator[Cause]:
    """A bundle by its name, or those of a signer."""
    if source.get("name") and source.get("signerName"):
        detail = "only one of name and signerName may be used"
        yield invalid(f"{field}.name", source["name"], detail)
    elif not source.get("name") and not source.get("signerName"):
        yield required(f"{field}.name", "either name or signerName must be specified")
    if source.get("name"):
        yield from check_text(names.subdomain, source["name"].replace(":", "."), f"{field}.name")
    yield from check_label_selector(source.get("labelSelector"), f"{field}.labelSelector")
    if not source.get("path"):
        yield required(f"{field}.path")
    else:
        yield from check_local_path(source["path"], f"{field}.path")
