"""PodTemplate: a template for pods that is kept by itself."""

from collections.abc import Iterator

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import NAME, label_pairs, part, text
from sampan.kubernetes.kinds.core.pod_defaults import default_template
from sampan.kubernetes.kinds.core.pod_validation import check_template
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import POD_TEMPLATES


def _default(pod_template: Object) -> None:
    default_template(pod_template.setdefault("template", {}))


def _prepare(new: Object, old: Object | None) -> None:
    strategies.count_generation(new, old, "template")


def _rules(new: Object, _old: Object | None) -> Iterator[Cause]:
    yield from check_template(new.get("template") or {}, "template")


def _containers(pod_template: Object, key: str) -> str:
    containers = part(pod_template, "template", "spec", "containers") or ()
    return ",".join(it.get(key, "") for it in containers)


POD_TEMPLATE = make(
    POD_TEMPLATES,
    default=_default,
    rules=_rules,
    prepare=_prepare,
    columns=(
        NAME,
        text("Containers", lambda it: _containers(it, "name"), about="The containers' names."),
        text("Images", lambda it: _containers(it, "image"), about="The containers' images."),
        text(
            "Pod Labels",
            lambda it: label_pairs(part(it, "template", "metadata", "labels")),
            about="The labels of the pods.",
        ),
    ),
)
