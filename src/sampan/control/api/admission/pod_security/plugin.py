"""Holds pods to the standard that their namespace asks for.

Pods are refused by `enforce`; `warn` and `audit` also look at the templates of workloads, so
that their authors hear of it before a controller fails to create pods. A namespace whose
standard is raised tells which of its pods would not be let in any longer.
"""

from collections import Counter
from functools import lru_cache

from sampan.control.api.admission.pod_security import baseline, restricted
from sampan.control.api.admission.pod_security.baseline import Control
from sampan.control.api.admission.pod_security.levels import (
    PREFIX,
    Standard,
    label_causes,
    standard_of,
)
from sampan.control.api.admission.pod_security.pod_facts import PodFacts
from sampan.control.api.admission.write import Write
from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.refusal import Refused
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import (
    CRON_JOBS,
    DAEMON_SETS,
    DEPLOYMENTS,
    JOBS,
    NAMESPACES,
    POD_TEMPLATES,
    PODS,
    REPLICA_SETS,
    REPLICATION_CONTROLLERS,
    STATEFUL_SETS,
)
from sampan.kubernetes.machinery import status

MOST_PODS_LOOKED_AT = 3000
_TEMPLATES = {
    **dict.fromkeys(
        (DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS, DAEMON_SETS, JOBS, REPLICATION_CONTROLLERS),
        ("spec", "template"),
    ),
    CRON_JOBS: ("spec", "jobTemplate", "spec", "template"),
    POD_TEMPLATES: ("template",),
}
_SUBRESOURCES = ("", "ephemeralcontainers")
_ENFORCED = f"{PREFIX}enforce-policy"
_NOTHING_ENFORCED = str(Standard())


class PodSecurity:
    """Raises Refused: 403 for a pod, 422 for a namespace with labels that say nothing."""

    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache

    def __call__(self, write: Write) -> None:
        if write.new is None or write.connects:
            return
        resource = write.kind.resource
        if resource == NAMESPACES:
            if not write.subresource:
                self._look_at_namespace(write)
        elif resource == PODS:
            if write.subresource in _SUBRESOURCES and _is_new(write):
                self._look_at_pod(write)
        elif resource in _TEMPLATES and not write.subresource:
            self._look_at_template(write, _TEMPLATES[resource])

    def _labels(self, namespace: str) -> dict[str, str]:
        found = self._cache.of(NAMESPACES).get(f"/{namespace}")
        return found.labels if found is not None else {}

    def _look_at_pod(self, write: Write) -> None:
        pod, labels = write.object, self._labels(write.namespace)
        if not _asks_for_anything(labels):
            write.annotations[_ENFORCED] = _NOTHING_ENFORCED
            return
        enforced = standard_of(labels, "enforce")
        write.annotations[_ENFORCED] = str(enforced)
        found = violations(enforced, pod["metadata"], pod.get("spec") or {})
        if found:
            raise write.refusal(f'violates PodSecurity "{enforced}": {found}')
        self._tell(write, labels, pod["metadata"], pod.get("spec") or {})

    def _look_at_template(self, write: Write, path: tuple[str, ...]) -> None:
        labels = self._labels(write.namespace)
        if not _asks_for_anything(labels):
            return
        template = write.object
        for key in path:
            template = template.get(key) or {}
        self._tell(write, labels, template.get("metadata") or {}, template.get("spec") or {})

    def _tell(self, write: Write, labels: dict[str, str], metadata: Object, spec: Object) -> None:
        warned = standard_of(labels, "warn")
        found = violations(warned, metadata, spec)
        if found:
            write.warnings.append(f'would violate PodSecurity "{warned}": {found}')
        audited = standard_of(labels, "audit")
        found = violations(audited, metadata, spec)
        if found:
            key = f"{PREFIX}audit-violations"
            write.annotations[key] = f'would violate PodSecurity "{audited}": {found}'

    def _look_at_namespace(self, write: Write) -> None:
        metadata = write.object["metadata"]
        labels = metadata.get("labels") or {}
        causes = list(label_causes(labels))
        if causes:
            raise Refused(status.invalid("", "Namespace", metadata.get("name", ""), causes))
        if write.old is None:
            return
        enforced = standard_of(labels, "enforce")
        if enforced != standard_of(write.old["metadata"].get("labels") or {}, "enforce"):
            write.warnings += self._would_be_refused(metadata["name"], enforced)

    def _would_be_refused(self, namespace: str, enforced: Standard) -> list[str]:
        if enforced.level == "privileged":
            return []
        pods = list(self._cache.of(PODS).select(Selection(namespace=namespace)))
        first: dict[str, str] = {}
        count: Counter[str] = Counter()
        for stored in pods[:MOST_PODS_LOOKED_AT]:
            pod = stored.decoded()
            found = violations(enforced, pod["metadata"], pod.get("spec") or {})
            if found:
                first.setdefault(found, stored.name)
                count[found] += 1
        if not first:
            return []
        head = (
            f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level '
            f'"{enforced}"'
        )
        return [head, *(f"{_and_others(first[it], count[it])}: {it}" for it in sorted(first))]


def _and_others(name: str, count: int) -> str:
    if count == 1:
        return name
    return f"{name} (and {count - 1} other pod{'s' if count > 2 else ''})"


def _asks_for_anything(labels: dict[str, str]) -> bool:
    return any(key.startswith(PREFIX) for key in labels)


def _is_new(write: Write) -> bool:
    """Updates matter only where they bring new containers or images."""
    if write.old is None:
        return True
    return bool(write.object.get("spec") != write.old.get("spec"))


def violations(standard: Standard, metadata: Object, spec: Object) -> str:
    """What a pod does against a standard, in one line; empty when it conforms."""
    if standard.level == "privileged":
        return ""
    pod = PodFacts(metadata, spec)
    return ", ".join(found for control in _controls(standard) if (found := control(pod)))


@lru_cache(maxsize=64)
def _controls(standard: Standard) -> tuple[Control, ...]:
    if standard.level == "baseline":
        return baseline.controls(standard.minor)
    return restricted.controls(standard.minor)
