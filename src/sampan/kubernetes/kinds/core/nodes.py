"""Node: a machine that runs pods."""

from collections.abc import Iterator

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import AGE, NAME, NONE, part, text
from sampan.kubernetes.kinds.field_rules import check_range
from sampan.kubernetes.kinds.kind import Cause, Object, Subresource
from sampan.kubernetes.kinds.object_metadata import check_labels
from sampan.kubernetes.kinds.record import PROXY_VERBS, make
from sampan.kubernetes.kinds.resource import NODES
from sampan.kubernetes.machinery.causes import duplicate, forbidden, required, unsupported

TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_ROLE_PREFIX = "node-role.kubernetes.io/"
_ROLE_LABEL = "kubernetes.io/role"


def _default(node: Object) -> None:
    spec = node.setdefault("spec", {})
    if spec.get("podCIDR") and not spec.get("podCIDRs"):
        spec["podCIDRs"] = [spec["podCIDR"]]
    status = node.get("status") or {}
    for name, quantity in (status.get("capacity") or {}).items():
        status.setdefault("allocatable", {}).setdefault(name, quantity)


def _prepare(new: Object, old: Object | None) -> None:
    """An agent registers its node together with the first status; later it writes `/status`."""
    if old is not None:
        strategies.keep_status(new, old)


def _rules(new: Object, old: Object | None) -> Iterator[Cause]:
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(part(new, "spec", "taints") or ()):
        field = f"spec.taints[{index}]"
        key, effect = taint.get("key", ""), taint.get("effect", "")
        yield from check_labels({key: taint.get("value", "")}, field)
        if not effect:
            yield required(f"{field}.effect")
        elif effect not in TAINT_EFFECTS:
            yield unsupported(f"{field}.effect", effect, TAINT_EFFECTS)
        if (key, effect) in seen:
            yield duplicate(field, taint)
        seen.add((key, effect))
    for index, pods in enumerate(part(new, "spec", "podCIDRs") or ()):
        yield from check_range(pods, f"spec.podCIDRs[{index}]")
    for name, shown in (("podCIDRs", "podCIDR"), ("providerID", "providerID")):
        given = part(old or {}, "spec", name)
        if given and given != part(new, "spec", name):
            detail = f'node updates may not change {shown} except from "" to valid'
            yield forbidden(f"spec.{name}", detail)


def _status(node: Object) -> str:
    conditions = part(node, "status", "conditions") or ()
    ready = next((it for it in conditions if it.get("type") == "Ready"), None)
    shown = "Unknown"
    if ready is not None:
        shown = "Ready" if ready.get("status") == "True" else "NotReady"
    return shown + (",SchedulingDisabled" if part(node, "spec", "unschedulable") else "")


def _roles(node: Object) -> str:
    labels = node["metadata"].get("labels") or {}
    roles = {key.removeprefix(_ROLE_PREFIX) for key in labels if key.startswith(_ROLE_PREFIX)}
    if labels.get(_ROLE_LABEL):
        roles.add(labels[_ROLE_LABEL])
    return ",".join(sorted(roles - {""})) or NONE


def _address(node: Object, kind: str) -> str:
    addresses = part(node, "status", "addresses") or ()
    return next((it["address"] for it in addresses if it.get("type") == kind), NONE)


def _information(node: Object, key: str) -> str:
    return part(node, "status", "nodeInfo", key) or "<unknown>"


NODE = make(
    NODES,
    default=_default,
    prepare=_prepare,
    prepare_status=strategies.status_with_labels,
    rules=_rules,
    status=True,
    short_names=("no",),
    selectable=("spec.unschedulable",),
    subresources=(Subresource("proxy", "NodeProxyOptions", "v1", PROXY_VERBS),),
    columns=(
        NAME,
        text("Status", _status, about="The status of the node"),
        text("Roles", _roles, about="The roles of the node"),
        AGE,
        text(
            "Version",
            lambda node: part(node, "status", "nodeInfo", "kubeletVersion") or "",
            about="Kubelet Version reported by the node.",
        ),
        text(
            "Internal-IP",
            lambda node: _address(node, "InternalIP"),
            1,
            "The node's address inside the cluster.",
        ),
        text(
            "External-IP",
            lambda node: _address(node, "ExternalIP"),
            1,
            "The node's address outside of the cluster.",
        ),
        text("OS-Image", lambda node: _information(node, "osImage"), 1, "The operating system."),
        text("Kernel-Version", lambda node: _information(node, "kernelVersion"), 1, "The kernel."),
        text(
            "Container-Runtime",
            lambda node: _information(node, "containerRuntimeVersion"),
            1,
            "The container runtime and its version.",
        ),
    ),
)
