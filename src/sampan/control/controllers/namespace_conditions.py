"""What a namespace that is being deleted tells of itself while something is left in it. Pure.

Types, reasons and words are those of k8s.io/kubernetes `pkg/controller/namespace/deletion`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sampan.control.controllers.plan import Head
from sampan.kubernetes.kinds.resource import Resource
from sampan.kubernetes.machinery import conditions
from sampan.kubernetes.machinery.timestamps import to_seconds

_FAILURE, _REMAINING = "NamespaceDeletionContentFailure", "NamespaceContentRemaining"
_FINALIZERS = "NamespaceFinalizersRemaining"
_WELL = {
    "NamespaceDeletionDiscoveryFailure": (
        "ResourcesDiscovered",
        "All resources successfully discovered",
    ),
    "NamespaceDeletionGroupVersionParsingFailure": (
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    _FAILURE: (
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    _REMAINING: ("ContentRemoved", "All content successfully removed"),
    _FINALIZERS: ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
}


def told(
    present: Sequence[dict[str, Any]],
    content: Iterable[tuple[Resource, Head]] | None,
    failure: str,
    now: datetime,
) -> list[dict[str, Any]]:
    """The conditions that follow from what is left; `failure` is why something can't go.

    Of content that is not known (None) nothing is said but that.
    """
    wrong = _wrong(tuple(content or ()), failure)
    following = list(present)
    for kind, well in _WELL.items():
        if content is None and kind not in wrong:
            continue
        reason, message = wrong.get(kind, well)
        following = conditions.with_condition(
            following,
            kind,
            "True" if kind in wrong else "False",
            to_seconds(now),
            reason=reason,
            message=message,
        )
    return following


def tells_failure(present: Sequence[dict[str, Any]]) -> bool:
    """Whether it has been told that something can't go."""
    condition = conditions.find(present, _FAILURE)
    return condition is not None and condition["status"] == "True"


def _wrong(content: tuple[tuple[Resource, Head], ...], failure: str) -> dict[str, tuple[str, str]]:
    """Reason and message of each condition that holds."""
    found: dict[str, tuple[str, str]] = {}
    if failure:
        text = f"Failed to delete all resource types, 1 remaining: {failure}"
        found[_FAILURE] = ("ContentDeletionFailed", text)
    resources = Counter(f"{each.plural}.{each.group}" for each, _ in content)
    if resources:
        counted = (f"{name} has {resources[name]} resource instances" for name in sorted(resources))
        text = f"Some resources are remaining: {', '.join(counted)}"
        found[_REMAINING] = ("SomeResourcesRemain", text)
    finalizers = Counter(it for _, head in content for it in head.metadata.finalizers)
    if finalizers:
        counted = (
            f"{name} in {finalizers[name]} resource instances" for name in sorted(finalizers)
        )
        text = f"Some content in the namespace has finalizers remaining: {', '.join(counted)}"
        found[_FINALIZERS] = ("SomeFinalizersRemain", text)
    return found
