"""ComponentStatus: the health of the control plane's parts, as it was asked for long ago.

Kubernetes keeps the resource for old clients; here it has no objects.
"""

from sampan.kubernetes.kinds.columns import NAME, text
from sampan.kubernetes.kinds.kind import Column, Object
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import COMPONENT_STATUSES


def _condition(component: Object) -> Object:
    conditions = component.get("conditions") or ()
    return next((it for it in conditions if it.get("type") == "Healthy"), {})


def _of_condition(name: str, key: str, about: str) -> Column:
    return text(name, lambda it: _condition(it).get(key, ""), about=about)


COMPONENT_STATUS = make(
    COMPONENT_STATUSES,
    short_names=("cs",),
    verbs=("get", "list"),
    deprecation="v1 ComponentStatus is deprecated in v1.19+",
    columns=(
        NAME,
        _of_condition("Status", "status", "Whether the component is healthy."),
        _of_condition("Message", "message", "What the component says."),
        _of_condition("Error", "error", "What is wrong with the component."),
    ),
)
