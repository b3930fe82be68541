"""Namespace: a scope for names, with a life of its own."""

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import AGE, NAME, part, text
from sampan.kubernetes.kinds.kind import Object, Subresource
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import NAMESPACES

NAME_LABEL = "kubernetes.io/metadata.name"
FINALIZER = "kubernetes"


def _default(namespace: Object) -> None:
    metadata = namespace.setdefault("metadata", {})
    if metadata.get("name"):
        metadata.setdefault("labels", {})[NAME_LABEL] = metadata["name"]


def _prepare(new: Object, old: Object | None) -> None:
    """The `kubernetes` finalizer is set here and taken away through `/finalize` alone."""
    strategies.keep_status(new, old)
    if old is None:
        spec = new.setdefault("spec", {})
        finalizers = spec.setdefault("finalizers", [])
        if FINALIZER not in finalizers:
            finalizers.append(FINALIZER)
        new["status"] = {"phase": "Active"}
    else:
        new["spec"] = {**(new.get("spec") or {}), **(old.get("spec") or {})}


NAMESPACE = make(
    NAMESPACES,
    default=_default,
    prepare=_prepare,
    status=True,
    name_form="label",
    short_names=("ns",),
    selectable=("status.phase",),
    renamed={"name": "metadata.name"},
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    subresources=(Subresource("finalize", "Namespace", "v1", ("update",)),),
    columns=(
        NAME,
        text(
            "Status",
            lambda obj: part(obj, "status", "phase") or "",
            about="The status of the namespace",
        ),
        AGE,
    ),
)
