"""Which labels a node may choose for itself (KEP-279). Pure.

Those by which others tell which nodes to trust are not its own, or it would attract pods and
their Secrets.
"""

from collections.abc import Mapping

_RESTRICTED = "node-restriction.kubernetes.io"
_RESERVED_DOMAINS = ("kubernetes.io", "k8s.io")
_OWN_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")
_OWN_LABELS = frozenset(
    (
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/instance-type",
        "node.kubernetes.io/instance-type",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        # The machine's first node says of itself that the control plane runs there.
        "node-role.kubernetes.io/control-plane",
    )
)


def restricted_labels(
    new: Mapping[str, str] | None, old: Mapping[str, str] | None
) -> tuple[str, ...]:
    """The labels that were changed and are not the node's to choose, in order."""
    now, before = new or {}, old or {}
    changed = {key for key in now.keys() | before.keys() if now.get(key) != before.get(key)}
    return tuple(sorted(key for key in changed if not _is_own(key)))


def _is_own(label: str) -> bool:
    domain = label.partition("/")[0] if "/" in label else ""
    if label in _OWN_LABELS or _within(domain, _OWN_DOMAINS):
        return not _within(domain, (_RESTRICTED,))
    return not _within(domain, _RESERVED_DOMAINS)


def _within(domain: str, parents: tuple[str, ...]) -> bool:
    return any(domain == parent or domain.endswith(f".{parent}") for parent in parents)
