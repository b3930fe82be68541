"""ControllerRevision: a state that a StatefulSet or DaemonSet had, to which it can return."""

from collections.abc import Iterator

from sampan.kubernetes.kinds.columns import AGE, NAME, NONE, text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import check_immutable
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import CONTROLLER_REVISIONS
from sampan.kubernetes.machinery.causes import invalid, required


def _rules(new: Object, old: Object | None) -> Iterator[Cause]:
    """pkg/apis/apps/validation ValidateControllerRevision: the data is there and stays."""
    if new.get("data") is None:
        yield required("data", "data is mandatory")
    if old is not None:
        yield from check_immutable(new.get("data"), old.get("data"), "data")
    if new.get("revision", 0) < 0:
        detail = "must be greater than or equal to 0"
        yield invalid("revision", new["revision"], detail)


def _controller(revision: Object) -> str:
    """`statefulset.apps/web`, as kubectl names objects."""
    owners = revision["metadata"].get("ownerReferences") or ()
    owner = next((it for it in owners if it.get("controller")), None)
    if owner is None:
        return NONE
    group, slash, _ = owner["apiVersion"].partition("/")
    kind = owner["kind"].lower()
    return f"{kind}.{group}/{owner['name']}" if slash else f"{kind}/{owner['name']}"


CONTROLLER_REVISION = make(
    CONTROLLER_REVISIONS,
    rules=_rules,
    columns=(
        NAME,
        text("Controller", _controller, about="The controller that made the revision."),
        text("Revision", lambda obj: obj.get("revision", 0), about="Revisions count upwards."),
        AGE,
    ),
)
