"""The order of API versions and groups: which one clients should prefer. Pure."""

import re
from collections.abc import Iterable

_VERSION = re.compile(r"v([1-9][0-9]{0,8})(?:(alpha|beta)([1-9][0-9]{0,8}))?")
_STAGES = {None: 2, "beta": 1, "alpha": 0}
# The built-in groups in Kubernetes' order (pkg/controlplane/apiserver); custom ones follow.
_GROUPS = (
    "",
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "resource.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "storagemigration.k8s.io",
)
_RANKS = {name: rank for rank, name in enumerate(_GROUPS)}


def preferred_first(versions: Iterable[str]) -> list[str]:
    """Stable versions before betas before alphas, newer ones first, other names at the end."""
    return sorted(versions, key=_rank)


def groups_in_order(names: Iterable[str]) -> list[str]:
    """The built-in groups as Kubernetes ranks them, then the others by name."""
    return sorted(names, key=lambda name: (_RANKS.get(name, len(_RANKS)), name))


def _rank(version: str) -> tuple[int, int, int, int, str]:
    found = _VERSION.fullmatch(version)
    if found is None:
        return (1, 0, 0, 0, version)
    major, stage, minor = found.groups()
    return (0, -_STAGES[stage], -int(major), -int(minor or 0), "")
