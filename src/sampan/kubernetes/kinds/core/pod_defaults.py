"""Defaults of pods and of the pod templates in other kinds, as Kubernetes 1.37 sets them."""

from collections.abc import Iterator

from sampan.kubernetes.kinds.core.container_defaults import (
    default_container,
    request_what_is_limited,
)
from sampan.kubernetes.kinds.core.volume_defaults import default_volume
from sampan.kubernetes.kinds.kind import Object

CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")


def containers_of(spec: Object) -> Iterator[Object]:
    """All containers of a pod's spec: init, ordinary and ephemeral."""
    for name in CONTAINER_LISTS:
        yield from spec.get(name) or ()


def containers_with_path(spec: Object, field: str) -> Iterator[tuple[Object, str]]:
    """All containers with the paths at which they lie below `field`."""
    for name in CONTAINER_LISTS:
        for index, container in enumerate(spec.get(name) or ()):
            yield container, f"{field}.{name}[{index}]"


def default_pod(pod: Object) -> None:
    """A pod: what a template gets, and requests from limits."""
    spec = pod.setdefault("spec", {})
    default_pod_spec(spec)
    for container in containers_of(spec):
        request_what_is_limited(container)


def default_template(template: Object) -> None:
    """A pod template inside a workload's spec."""
    template.setdefault("metadata", {})
    default_pod_spec(template.setdefault("spec", {}))


def default_pod_spec(spec: Object) -> None:
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("enableServiceLinks", True)
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for container in containers_of(spec):
        default_container(container, host_network=bool(spec.get("hostNetwork")))
    for volume in spec.get("volumes") or ():
        default_volume(volume)
