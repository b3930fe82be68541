"""The strategies and rules of the subresources that write a part of a pod's spec."""

from collections.abc import Iterator

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.core.pod_quality import quality_of_service
from sampan.kubernetes.kinds.core.pod_validation import check_pod_spec
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery.causes import forbidden, invalid

_RESIZED = ("cpu", "memory")
MIRROR = "kubernetes.io/config.mirror"
_LISTS = ("containers", "initContainers")


def prepare_ephemeral_containers(new: Object, old: Object | None) -> None:
    """A write to `/ephemeralcontainers`: that list alone."""
    if old is None:
        return
    given = (new.get("spec") or {}).get("ephemeralContainers") or []
    version = new["metadata"].get("resourceVersion")
    strategies.replace_with_old(new, old, metadata={**old["metadata"], "resourceVersion": version})
    new["spec"] = {**old["spec"], "ephemeralContainers": given}
    if not given:
        del new["spec"]["ephemeralContainers"]
    strategies.count_generation(new, old, "spec")


def ephemeral_container_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    """pkg/apis/core/validation ValidatePodEphemeralContainersUpdate: they only become more."""
    yield from check_pod_spec(new["spec"], "spec")
    field = "spec.ephemeralContainers"
    if MIRROR in (new["metadata"].get("annotations") or {}):
        yield forbidden(field, "static pods do not support ephemeral containers")
    now = {it.get("name", ""): it for it in new["spec"].get("ephemeralContainers") or ()}
    for container in ((old or {}).get("spec") or {}).get("ephemeralContainers") or ():
        name = container.get("name", "")
        if name not in now:
            yield forbidden(field, f'existing ephemeral containers "{name}" may not be removed\n')
        elif now[name] != container:
            yield forbidden(field, f'existing ephemeral containers "{name}" may not be changed\n')


def prepare_resize(new: Object, old: Object | None) -> None:
    """A write to `/resize`: resources, and what a change of them does, of the containers."""
    if old is None:
        return
    given = new.get("spec") or {}
    version = new["metadata"].get("resourceVersion")
    strategies.replace_with_old(new, old, metadata={**old["metadata"], "resourceVersion": version})
    new["spec"] = dict(old["spec"])
    for name in _LISTS:
        if name in old["spec"]:
            wanted = {it.get("name", ""): it for it in given.get(name) or ()}
            new["spec"][name] = [
                _resized(container, wanted.get(container.get("name", "")))
                for container in old["spec"][name]
            ]
    if "resources" in given:
        new["spec"]["resources"] = given["resources"]
    strategies.count_generation(new, old, "spec")


def _resized(container: Object, wanted: Object | None) -> Object:
    if wanted is None:
        return container
    resized = {**container, "resources": wanted.get("resources") or {}}
    if "resizePolicy" in wanted:
        resized["resizePolicy"] = wanted["resizePolicy"]
    return resized


def resize_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    """pkg/apis/core/validation ValidatePodResize."""
    if old is None:
        return
    spec, before = new["spec"], old["spec"]
    yield from check_pod_spec(spec, "spec")
    if MIRROR in (new["metadata"].get("annotations") or {}):
        yield forbidden("", "Pod Resize is unsupported for mirror pods")
    if (spec.get("os") or {}).get("name") == "windows":
        yield forbidden("spec", "windows pods cannot be resized")
    if quality_of_service(spec) != quality_of_service(before):
        detail = "Pod QOS Class may not change as a result of resizing"
        yield invalid("spec", quality_of_service(spec), detail)
    for name in _LISTS:
        pairs = zip(spec.get(name) or (), before.get(name) or (), strict=True)
        for index, (container, earlier) in enumerate(pairs):
            yield from _check_resized(container, earlier, f"spec.{name}[{index}]")


def _check_resized(container: Object, earlier: Object, field: str) -> Iterator[Cause]:
    now, before = container.get("resources") or {}, earlier.get("resources") or {}
    if now == before:
        return
    sidecar = container.get("restartPolicy") == "Always"
    if field.startswith("spec.initContainers") and not sidecar:
        detail = "resources for non-sidecar init containers are immutable"
        yield forbidden(f"{field}.resources", detail)
    for part, singular in (("limits", "limit"), ("requests", "request")):
        given, had = now.get(part) or {}, before.get(part) or {}
        fixed = {key: it for key, it in given.items() if key not in _RESIZED}
        if fixed != {key: it for key, it in had.items() if key not in _RESIZED}:
            detail = "only cpu and memory resources are mutable"
            yield forbidden(f"{field}.resources.{part}", detail)
        for name in _RESIZED:
            if name in had and name not in given:
                detail = f"resource {singular}s cannot be removed"
                yield forbidden(f"{field}.resources.{part}", detail)
