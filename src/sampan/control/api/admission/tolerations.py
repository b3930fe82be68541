"""How long pods stay on a node that has gone: Sampan's default is short, so that it heals."""

from sampan.control.api.admission.write import Write
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import PODS

_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


class DefaultTolerations:
    def __init__(self, seconds: int) -> None:
        self._seconds = seconds

    def __call__(self, write: Write) -> None:
        pod = write.new
        if write.kind.resource != PODS or not write.is_create or write.subresource or pod is None:
            return
        tolerations = list(pod.setdefault("spec", {}).get("tolerations") or ())
        for key in _TAINTS:
            if not any(_tolerates(it, key) for it in tolerations):
                tolerations.append(
                    {
                        "key": key,
                        "operator": "Exists",
                        "effect": "NoExecute",
                        "tolerationSeconds": self._seconds,
                    }
                )
        pod["spec"]["tolerations"] = tolerations


def _tolerates(toleration: Object, key: str) -> bool:
    return toleration.get("key", "") in ("", key) and toleration.get("effect", "") in (
        "",
        "NoExecute",
    )
