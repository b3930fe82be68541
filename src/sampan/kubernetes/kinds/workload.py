"""What the kinds that keep pods of one template have in common: selector, template, replicas."""

from collections.abc import Iterator

from sampan.kubernetes.kinds.core.pod_defaults import default_template
from sampan.kubernetes.kinds.core.pod_validation import check_template
from sampan.kubernetes.kinds.kind import Cause, Object, Subresource
from sampan.kubernetes.kinds.object_metadata import check_immutable, check_label_selector
from sampan.kubernetes.kinds.record import UPDATE_VERBS
from sampan.kubernetes.machinery import selectors
from sampan.kubernetes.machinery.causes import forbidden, invalid, required, unsupported

SCALE = Subresource("scale", "Scale", "autoscaling/v1", UPDATE_VERBS)
HISTORY_LIMIT = 10
_NO_MATCH = "`selector` does not match template `labels`"


def default_workload(workload: Object) -> None:
    """One replica, and the defaults of the template."""
    spec = workload.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    default_template(spec.setdefault("template", {}))


def workload_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    """Replicas, the selector, which stays, the template, and that one fits the other."""
    spec = new.get("spec") or {}
    yield from check_not_negative(spec, "spec", ("replicas", "minReadySeconds"))
    yield from check_selector(spec, new["kind"])
    yield from check_kept_template(spec.get("template") or {}, "spec.template", new["kind"])
    if old is not None:
        before = (old.get("spec") or {}).get("selector")
        yield from check_immutable(spec.get("selector"), before, "spec.selector")


def check_kept_template(template: Object, field: str, kind: str) -> Iterator[Cause]:
    """A template for pods that are to run for ever."""
    yield from check_template(template, field)
    spec = template.get("spec") or {}
    if spec.get("restartPolicy") != "Always":
        policy = spec.get("restartPolicy", "")
        yield unsupported(f"{field}.spec.restartPolicy", policy, ("Always",))
    if spec.get("activeDeadlineSeconds") is not None:
        detail = f"activeDeadlineSeconds in {kind} is not Supported"
        yield forbidden(f"{field}.spec.activeDeadlineSeconds", detail)


def check_not_negative(part: Object, field: str, names: tuple[str, ...]) -> Iterator[Cause]:
    for name in names:
        if part.get(name, 0) < 0:
            yield invalid(f"{field}.{name}", part[name], "must be greater than or equal to 0")


def check_selector(spec: Object, kind: str) -> Iterator[Cause]:
    """A selector that isn't empty and takes the template's pods."""
    selector = spec.get("selector")
    if selector is None:
        yield required("spec.selector")
        return
    causes = list(check_label_selector(selector, "spec.selector"))
    yield from causes
    if not any(selector.values()):
        yield invalid("spec.selector", selector, f"empty selector is invalid for {kind.lower()}")
    elif not causes:
        yield from check_match(selector, spec.get("template") or {})


def check_match(selector: Object, template: Object) -> Iterator[Cause]:
    """The template's labels are among those that a valid selector takes."""
    labels = (template.get("metadata") or {}).get("labels") or {}
    chosen = selectors.from_object(selector)
    if chosen is not None and not chosen.matches(labels):
        yield invalid("spec.template.metadata.labels", labels, _NO_MATCH)
