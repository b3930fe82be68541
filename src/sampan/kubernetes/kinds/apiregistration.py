"""The kind of the group `apiregistration.k8s.io`: APIService, who serves a version of a group.

Rules of kube-aggregator's `apis/apiregistration/validation`.
"""

from collections.abc import Iterator

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import AGE, NAME, part, text
from sampan.kubernetes.kinds.field_rules import check_text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import API_SERVICES
from sampan.kubernetes.kinds.webhook_clients import default_client
from sampan.kubernetes.machinery import conditions, names
from sampan.kubernetes.machinery.causes import invalid, required

_HIGHEST_GROUP_PRIORITY = 20000
_HIGHEST_VERSION_PRIORITY = 1000
_ONLY_CORE = "only v1 may have an empty group and it better be legacy kube"


def _default(service: Object) -> None:
    default_client(service.setdefault("spec", {}))


def _prepare(new: Object, old: Object | None) -> None:
    """What this server serves itself is available from the beginning."""
    strategies.keep_status(new, old)
    if old is None:
        local = "service" not in (new.get("spec") or {})
        new["status"] = {"conditions": [_local_condition(new)]} if local else {}


def _local_condition(service: Object) -> Object:
    return {
        "type": "Available",
        "status": "True",
        "lastTransitionTime": service["metadata"].get("creationTimestamp"),
        "reason": "Local",
        "message": "Local APIServices are always available",
    }


def _rules(new: Object, _old: Object | None) -> Iterator[Cause]:
    spec, name = new.get("spec") or {}, new["metadata"].get("name", "")
    group, version = spec.get("group", ""), spec.get("version", "")
    wanted = f"{version}.{group}"
    if name and name != wanted:
        detail = f'must be `spec.version+"."+spec.group`: "{wanted}"'
        yield invalid("metadata.name", name, detail)
    if group:
        yield from check_text(names.subdomain, group, "spec.group")
    elif version != "v1":
        yield required("spec.group", _ONLY_CORE)
    yield from check_text(names.label_1035, version, "spec.version")
    for key, highest in (
        ("groupPriorityMinimum", _HIGHEST_GROUP_PRIORITY),
        ("versionPriority", _HIGHEST_VERSION_PRIORITY),
    ):
        if not 0 < spec.get(key, 0) <= highest:
            detail = f"must be positive and less than {highest}"
            yield invalid(f"spec.{key}", spec.get(key, 0), detail)
    yield from _check_service(spec)


def _check_service(spec: Object) -> Iterator[Cause]:
    bundle, insecure = spec.get("caBundle"), spec.get("insecureSkipTLSVerify", False)
    if "service" not in spec:
        if bundle:
            size = len(bundle) * 3 // 4
            detail = "local APIServices may not have a caBundle"
            yield invalid("spec.caBundle", f"{size} bytes", detail)
        if insecure:
            detail = "local APIServices may not have insecureSkipTLSVerify"
            yield invalid("spec.insecureSkipTLSVerify", insecure, detail)
        return
    service = spec["service"]
    for key in ("namespace", "name"):
        if not service.get(key):
            yield required(f"spec.service.{key}")
    if not 1 <= service.get("port", 443) <= 65535:
        detail = "port is not valid: must be between 1 and 65535, inclusive"
        yield invalid("spec.service.port", service["port"], detail)
    if insecure and bundle:
        detail = "may not be true if caBundle is present"
        yield invalid("spec.insecureSkipTLSVerify", insecure, detail)


def _served_by(service: Object) -> str:
    reference = part(service, "spec", "service")
    if reference is None:
        return "Local"
    return f"{reference.get('namespace', '')}/{reference.get('name', '')}"


def _available(service: Object) -> str:
    condition = conditions.find(part(service, "status", "conditions"), "Available")
    if condition is None:
        return "Unknown"
    if condition.get("status") == "True":
        return "True"
    return f"{condition.get('status')} ({condition.get('reason', '')})"


API_SERVICE = make(
    API_SERVICES,
    default=_default,
    prepare=_prepare,
    rules=_rules,
    prepare_status=strategies.only_status,
    status=True,
    name_form="path-segment",
    categories=("api-extensions",),
    columns=(
        NAME,
        text("Service", _served_by, about="The reference to the service that hosts this API."),
        text("Available", _available, about="Whether this service is available."),
        AGE,
    ),
)
