"""LimitRanges: what containers get that ask for nothing, and how much may be asked for.

Defaults and bounds are those of every LimitRange in the namespace, in the order of names. The
words are those of k8s.io/kubernetes `plugin/pkg/admission/limitranger`.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from sampan.control.api.admission.write import Write
from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import LIMIT_RANGES, PERSISTENT_VOLUME_CLAIMS, PODS
from sampan.kubernetes.machinery.pod_resources import (
    Amounts,
    amounts,
    container_amounts,
    pod_amounts,
    shown,
)

ANNOTATION = "kubernetes.io/limit-ranger"
_LISTS = (("containers", "container"), ("initContainers", "init container"))


class LimitRanger:
    """Two plain rules: `fill` before validation, `judge` after it."""

    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache

    def fill(self, write: Write) -> None:
        """Give a new pod's containers the defaults that they lack."""
        if not _is_new(write, PODS):
            return
        told: list[str] = []
        for limit_range in self._limit_ranges(write.namespace):
            told += fill_pod(write.object, limit_range)
        if told:
            annotations = write.object["metadata"].setdefault("annotations", {})
            annotations[ANNOTATION] = "LimitRanger plugin set: " + "; ".join(told)

    def judge(self, write: Write) -> None:
        """Raises Refused (403) with every bound that is not kept."""
        problems: Callable[[Object, Object], Iterator[str]]
        if _is_new(write, PODS) or _is_resize(write):
            problems = pod_problems
        elif _is_new(write, PERSISTENT_VOLUME_CLAIMS):
            problems = claim_problems
        else:
            return
        found = [
            problem
            for limit_range in self._limit_ranges(write.namespace)
            for problem in problems(write.object, limit_range)
        ]
        if found:
            explanation = found[0] if len(found) == 1 else f"[{', '.join(found)}]"
            raise write.refusal(explanation)

    def _limit_ranges(self, namespace: str) -> Iterator[Object]:
        cache = self._cache.of(LIMIT_RANGES)
        if cache.count(namespace):
            for stored in cache.select(Selection(namespace=namespace)):
                yield stored.decoded()


def _is_new(write: Write, resource: Any) -> bool:
    return (
        write.kind.resource == resource
        and not write.subresource
        and write.operation == "CREATE"
        and not write.connects
    )


def _is_resize(write: Write) -> bool:
    return write.kind.resource == PODS and write.subresource == "resize" and write.new is not None


def _items(limit_range: Object, kind: str) -> Iterator[Object]:
    for item in (limit_range.get("spec") or {}).get("limits") or ():
        if item.get("type") == kind:
            yield item


def fill_pod(pod: Object, limit_range: Object) -> list[str]:
    """Fill in the defaults of one LimitRange; says what was set."""
    told: list[str] = []
    for item in _items(limit_range, "Container"):
        for key, what in _LISTS:
            for container in pod["spec"].get(key) or ():
                told += _fill_container(container, item, what)
    return told


def _fill_container(container: Object, item: Object, what: str) -> Iterator[str]:
    for side, key in (("requests", "defaultRequest"), ("limits", "default")):
        given = (container.get("resources") or {}).get(side) or {}
        missing = {
            name: value for name, value in (item.get(key) or {}).items() if name not in given
        }
        if missing:
            container.setdefault("resources", {})[side] = {**given, **missing}
            names = ", ".join(sorted(missing))
            yield f"{names} {side.removesuffix('s')} for {what} {container['name']}"


def pod_problems(pod: Object, limit_range: Object) -> Iterator[str]:
    """The bounds of one LimitRange that a pod doesn't keep."""
    spec = pod.get("spec") or {}
    for item in _items(limit_range, "Container"):
        for key, _ in _LISTS:
            for container in spec.get(key) or ():
                requests = container_amounts(container, "requests")
                limits = container_amounts(container, "limits")
                yield from _problems(item, requests, limits)
    for item in _items(limit_range, "Pod"):
        requests = pod_amounts(spec, "requests", with_overhead=False)
        limits = pod_amounts(spec, "limits", with_overhead=False)
        yield from _problems(item, requests, limits)


def claim_problems(claim: Object, limit_range: Object) -> Iterator[str]:
    """The bounds of one LimitRange that a PersistentVolumeClaim doesn't keep."""
    requests = amounts(((claim.get("spec") or {}).get("resources") or {}).get("requests"))
    for item in _items(limit_range, "PersistentVolumeClaim"):
        for name, bound in amounts(item.get("min")).items():
            head = f"minimum {name} usage per PersistentVolumeClaim is {item['min'][name]}"
            yield from _below(head, name, bound, requests)
        for name, bound in amounts(item.get("max")).items():
            given = requests.get(name)
            if given is not None and given > bound:
                head = f"maximum {name} usage per PersistentVolumeClaim is {item['max'][name]}"
                yield f"{head}, but request is {shown(name, given)}"


def _problems(item: Object, requests: Amounts, limits: Amounts) -> Iterator[str]:
    kind = item["type"]
    for name, bound in amounts(item.get("min")).items():
        head = f"minimum {name} usage per {kind} is {item['min'][name]}"
        limit = limits.get(name)
        if requests.get(name) is not None and limit is not None and limit < bound:
            yield f"{head}, but limit is {shown(name, limit)}"
        else:
            yield from _below(head, name, bound, requests)
    for name, bound in amounts(item.get("max")).items():
        head = f"maximum {name} usage per {kind} is {item['max'][name]}"
        yield from _above(head, name, bound, (requests.get(name), limits.get(name)))
    for name, bound in amounts(item.get("maxLimitRequestRatio")).items():
        ratio = item["maxLimitRequestRatio"][name]
        head = f"{name} max limit to request ratio per {kind} is {ratio}"
        yield from _ratio(head, bound, requests.get(name), limits.get(name))


def _below(head: str, name: str, bound: Decimal, requests: Amounts) -> Iterator[str]:
    request = requests.get(name)
    if request is None:
        yield f"{head}.  No request is specified"
    elif request < bound:
        yield f"{head}, but request is {shown(name, request)}"


def _above(
    head: str, name: str, bound: Decimal, given: tuple[Decimal | None, Decimal | None]
) -> Iterator[str]:
    request, limit = given
    if limit is None:
        yield f"{head}.  No limit is specified"
    elif limit > bound:
        yield f"{head}, but limit is {shown(name, limit)}"
    elif request is not None and request > bound:
        yield f"{head}, but request is {shown(name, request)}"


def _ratio(
    head: str, bound: Decimal, request: Decimal | None, limit: Decimal | None
) -> Iterator[str]:
    if not request:
        yield f"{head}, but no request is specified or request is 0"
    elif not limit:
        yield f"{head}, but no limit is specified or limit is 0"
    elif limit / request > bound:
        yield f"{head}, but provided ratio is {limit / request:f}"
