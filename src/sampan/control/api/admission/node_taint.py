"""A new node keeps pods away until it is known to be ready (upstream's TaintNodesByCondition).

The controller of nodes' lives takes the taint away as soon as the node says that it is ready.
"""

from sampan.control.api.admission.write import Write
from sampan.kubernetes.kinds.resource import NODES

_NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


def taint_new_node(write: Write) -> None:
    """Adds the taint at creation."""
    if write.kind.resource != NODES or not write.is_create or write.new is None:
        return
    spec = write.new.setdefault("spec", {})
    taints = spec.get("taints") or []
    if not any({**it, **_NOT_READY} == it for it in taints):
        spec["taints"] = [*taints, dict(_NOT_READY)]
