"""What a pod's RuntimeClass brings: its overhead, and where such pods run (KEP-688, KEP-894)."""

from sampan.control.api.admission.write import Write
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import PODS, RUNTIME_CLASSES
from sampan.kubernetes.machinery.pod_resources import amounts


class RuntimeClasses:
    """Raises Refused (403)."""

    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache

    def __call__(self, write: Write) -> None:
        pod = write.new
        if write.kind.resource != PODS or not write.is_create or write.subresource or pod is None:
            return
        spec = pod.setdefault("spec", {})
        chosen = self._class_of(write, spec.get("runtimeClassName") or "")
        fixed = (chosen.get("overhead") or {}).get("podFixed")
        if fixed:
            if "overhead" in spec and amounts(spec["overhead"]) != amounts(fixed):
                told = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
                raise write.refusal(told)
            spec["overhead"] = fixed
        elif spec.get("overhead"):
            told = (
                "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
            )
            raise write.refusal(told)
        scheduling = chosen.get("scheduling") or {}
        _select_nodes(write, spec, scheduling.get("nodeSelector") or {})
        _tolerate(spec, scheduling.get("tolerations") or [])

    def _class_of(self, write: Write, name: str) -> Object:
        if not name:
            return {}
        stored = self._cache.of(RUNTIME_CLASSES).get(f"/{name}")
        if stored is None:
            raise write.refusal(f'pod rejected: RuntimeClass "{name}" not found')
        return stored.decoded()


def _select_nodes(write: Write, spec: Object, wanted: dict[str, str]) -> None:
    if not wanted:
        return
    selector = spec.setdefault("nodeSelector", {})
    for key, value in wanted.items():
        if selector.setdefault(key, value) != value:
            told = (
                f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; "
                f"pod.spec.nodeSelector[{key}] = {selector[key]}"
            )
            raise write.refusal(told)


def _tolerate(spec: Object, tolerations: list[Object]) -> None:
    present = spec.get("tolerations") or []
    added = [it for it in tolerations if it not in present]
    if added:
        spec["tolerations"] = [*present, *added]
