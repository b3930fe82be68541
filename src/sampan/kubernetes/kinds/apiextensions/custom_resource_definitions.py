"""CustomResourceDefinition: what it is by default, what it keeps, and how its deletion begins."""

from datetime import datetime
from typing import Any

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.apiextensions.definition_rules import definition_rules
from sampan.kubernetes.kinds.columns import CREATED_AT, NAME
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import CUSTOM_RESOURCE_DEFINITIONS
from sampan.kubernetes.kinds.webhook_clients import default_client
from sampan.kubernetes.machinery.timestamps import to_seconds

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
"""The finalizer that keeps a definition until its objects are gone."""
TERMINATING = "Terminating"


def _default(definition: Object) -> None:
    spec = definition.setdefault("spec", {})
    names = spec.setdefault("names", {})
    kind = names.get("kind") or ""
    if kind:
        names.setdefault("singular", kind.lower())
        names.setdefault("listKind", f"{kind}List")
    conversion = spec.setdefault("conversion", {})
    conversion.setdefault("strategy", "None")
    default_client((conversion.get("webhook") or {}).get("clientConfig") or {})


def _prepare(new: Object, old: Object | None) -> None:
    """Status and generation belong to the server, which notes each version that was stored."""
    strategies.keep_status(new, old)
    strategies.count_generation(new, old, "spec")
    status: dict[str, Any] = dict(new.get("status") or {})
    stored = list(status.get("storedVersions") or ())
    for version in (new.get("spec") or {}).get("versions") or ():
        if version.get("storage") and version.get("name") not in stored:
            stored.append(version["name"])
    new["status"] = {
        "acceptedNames": {"kind": "", "plural": ""},
        "conditions": [],
        **status,
        "storedVersions": stored,
    }


def begin_deletion(definition: Object, now: datetime) -> None:
    """It stays until its objects are gone, and says so."""
    finalizers = definition["metadata"].setdefault("finalizers", [])
    if CLEANUP not in finalizers:
        finalizers.append(CLEANUP)
    condition = {
        "type": TERMINATING,
        "status": "True",
        "lastTransitionTime": to_seconds(now),
        "reason": "InstanceDeletionPending",
        "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will "
        "begin soon",
    }
    status = definition.setdefault("status", {})
    others = [it for it in status.get("conditions") or () if it.get("type") != TERMINATING]
    status["conditions"] = [*others, condition]


CUSTOM_RESOURCE_DEFINITION = make(
    CUSTOM_RESOURCE_DEFINITIONS,
    default=_default,
    rules=definition_rules,
    prepare=_prepare,
    begin_deletion=begin_deletion,
    is_judged_patiently=True,
    prepare_status=strategies.only_status,
    status=True,
    columns=(NAME, CREATED_AT),
    short_names=("crd", "crds"),
    categories=("api-extensions",),
)
