"""What Deployment and ReplicaSet have in common: a selector and a template for pods."""

from collections.abc import Iterator

from sampan.kubernetes.kinds.core.pod_defaults import default_template
from sampan.kubernetes.kinds.core.pod_validation import check_pod_spec
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import (
    check_immutable,
    check_label_selector,
    check_labels,
)
from sampan.kubernetes.machinery import selectors
from sampan.kubernetes.machinery.causes import forbidden, invalid, required, unsupported


def default_workload(workload: Object) -> None:
    """One replica, and the defaults of the template."""
    spec = workload.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    default_template(spec.setdefault("template", {}))


def workload_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    """The selector, the template, and that one fits the other."""
    spec = new.get("spec") or {}
    yield from check_not_negative(spec, "spec", ("replicas", "minReadySeconds"))
    yield from _check_selector(spec, new["kind"])
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels")
    yield from check_labels(labels, "spec.template.metadata.labels")
    yield from check_pod_spec(template.get("spec") or {}, "spec.template.spec")
    policy = (template.get("spec") or {}).get("restartPolicy")
    if policy != "Always":
        yield unsupported("spec.template.spec.restartPolicy", policy, ("Always",))
    if (template.get("spec") or {}).get("activeDeadlineSeconds") is not None:
        kind = new["kind"]
        field = "spec.template.spec.activeDeadlineSeconds"
        yield forbidden(field, f"activeDeadlineSeconds in {kind} is not Supported")
    if old is not None:
        before = (old.get("spec") or {}).get("selector")
        yield from check_immutable(spec.get("selector"), before, "spec.selector")


def check_not_negative(part: Object, field: str, names: tuple[str, ...]) -> Iterator[Cause]:
    for name in names:
        if part.get(name, 0) < 0:
            yield invalid(f"{field}.{name}", part[name], "must be greater than or equal to 0")


def _check_selector(spec: Object, kind: str) -> Iterator[Cause]:
    selector = spec.get("selector")
    if selector is None:
        yield required("spec.selector")
        return
    causes = list(check_label_selector(selector, "spec.selector"))
    yield from causes
    if not any(selector.values()):
        yield invalid("spec.selector", selector, f"empty selector is invalid for {kind.lower()}")
        return
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    chosen = None if causes else selectors.from_object(selector)
    if chosen is not None and not chosen.matches(labels):
        detail = "`selector` does not match template `labels`"
        yield invalid("spec.template.metadata.labels", labels, detail)
