"""The number behind a pod's PriorityClass, and that there is but one class for all others."""

from collections.abc import Iterator

from sampan.control.api.admission.write import Write
from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import PODS, PRIORITY_CLASSES

_NO_CLASS: Object = {"metadata": {"name": ""}, "value": 0}
_POLICY = "PreemptLowerPriority"
_COMPUTED = (
    "must not be provided in pod spec; priority admission controller computed {value} from the "
    "given PriorityClass name"
)


class Priority:
    """`fill` gives new pods their priority, `judge` looks at classes. Both raise Refused (403)."""

    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache
        self._usual = _NO_CLASS
        self._usual_at = -1

    def fill(self, write: Write) -> None:
        """Put a class's value and preemption policy into a new pod."""
        pod = write.new
        if write.kind.resource != PODS or not write.is_create or write.subresource or pod is None:
            return
        spec = pod.setdefault("spec", {})
        chosen = self._class_of(write, spec.get("priorityClassName") or "")
        value, policy = chosen["value"], chosen.get("preemptionPolicy") or _POLICY
        if spec.get("priority") not in (None, value):
            told = f"the integer value of priority ({spec['priority']}) "
            raise write.refusal(told + _COMPUTED.format(value=value))
        if spec.get("preemptionPolicy") not in (None, policy):
            told = f"the string value of PreemptionPolicy ({spec['preemptionPolicy']}) "
            raise write.refusal(told + _COMPUTED.format(value=policy))
        if chosen["metadata"]["name"]:
            spec["priorityClassName"] = chosen["metadata"]["name"]
        spec["priority"], spec["preemptionPolicy"] = value, policy

    def judge(self, write: Write) -> None:
        """Refuse a second class for pods that name none."""
        if write.kind.resource != PRIORITY_CLASSES or not (write.new or {}).get("globalDefault"):
            return
        name = write.object["metadata"]["name"]
        for other in self._defaults():
            if other["metadata"]["name"] != name:
                explanation = (
                    f"PriorityClass {other['metadata']['name']} is already marked as default. "
                    "Only one default can exist"
                )
                raise write.refusal(explanation)

    def _class_of(self, write: Write, name: str) -> Object:
        if not name:
            return self._default()
        stored = self._cache.of(PRIORITY_CLASSES).get(f"/{name}")
        if stored is None:
            raise write.refusal(f"no PriorityClass with name {name} was found")
        return stored.decoded()

    def _default(self) -> Object:
        """The class of pods that name none; looked for when a class has changed."""
        changed = self._cache.of(PRIORITY_CLASSES).last_change
        if changed != self._usual_at:
            self._usual_at = changed
            self._usual = min(self._defaults(), key=lambda it: int(it["value"]), default=_NO_CLASS)
        return self._usual

    def _defaults(self) -> Iterator[Object]:
        for stored in self._cache.of(PRIORITY_CLASSES).select(Selection()):
            tree = stored.decoded()
            if tree.get("globalDefault"):
                yield tree
