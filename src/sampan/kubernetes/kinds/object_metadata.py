"""The rules of `metadata` that all kinds share, and of the label selectors in their specs."""

from collections.abc import Iterable, Iterator
from typing import Any

from sampan.kubernetes.kinds.kind import Cause, NameForm, Object
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import forbidden, invalid, required, too_long

MAXIMUM_ANNOTATIONS_SIZE = 256 << 10
IMMUTABLE = "field is immutable"
_SELECTOR_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def check_metadata(
    new: Object, old: Object | None, form: NameForm, *, namespaced: bool
) -> Iterator[Cause]:
    """ValidateObjectMeta and ValidateObjectMetaUpdate of Kubernetes' `validation` package."""
    metadata = new.get("metadata") or {}
    yield from _check_names(metadata, form, namespaced=namespaced)
    yield from check_labels(metadata.get("labels"), "metadata.labels")
    yield from check_annotations(metadata.get("annotations"), "metadata.annotations")
    yield from _check_owners(metadata.get("ownerReferences") or ())
    for index, finalizer in enumerate(metadata.get("finalizers") or ()):
        yield from _named(names.qualified_name, finalizer, f"metadata.finalizers[{index}]")
    if old is not None:
        yield from _check_update(metadata, old["metadata"])


def _check_names(metadata: Object, form: NameForm, *, namespaced: bool) -> Iterator[Cause]:
    name = metadata.get("name", "")
    if not name:
        yield required("metadata.name", "name or generateName is required")
    else:
        yield from _named(names.FORMS[form], name, "metadata.name")
    namespace = metadata.get("namespace", "")
    if namespaced and not namespace:
        yield required("metadata.namespace")
    elif namespaced:
        yield from _named(names.label, namespace, "metadata.namespace")
    elif namespace:
        yield forbidden("metadata.namespace", "not allowed on this type")


def _named(check: Any, text: str, field: str) -> Iterator[Cause]:
    for message in check(text):
        yield invalid(field, text, message)


def check_labels(labels: dict[str, str] | None, field: str) -> Iterator[Cause]:
    # Without a generator for each name: every object's labels come through here.
    for key, value in (labels or {}).items():
        for message in names.qualified_name(key):
            yield invalid(field, key, message)
        for message in names.label_value(value):
            yield invalid(field, value, message)


def check_annotations(annotations: dict[str, str] | None, field: str) -> Iterator[Cause]:
    size = 0
    for key, value in (annotations or {}).items():
        size += len(key.encode()) + len(value.encode())
        yield from _named(names.qualified_name, key.lower(), field)
    if size > MAXIMUM_ANNOTATIONS_SIZE:
        yield too_long(field, MAXIMUM_ANNOTATIONS_SIZE)


def _check_owners(owners: Iterable[Object]) -> Iterator[Cause]:
    controllers: list[str] = []
    for index, owner in enumerate(owners):
        field = f"metadata.ownerReferences[{index}]"
        for key in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(key):
                yield invalid(f"{field}.{key}", "", "must not be empty")
        if owner.get("controller"):
            controllers.append(owner.get("name", ""))
    if len(controllers) > 1:
        detail = "Only one reference can have Controller set to true. Found: " + ", ".join(
            controllers
        )
        yield invalid("metadata.ownerReferences", controllers, detail)


def _check_update(new: Object, old: Object) -> Iterator[Cause]:
    for key in ("name", "namespace", "uid", "creationTimestamp"):
        if new.get(key, "") != old.get(key, ""):
            yield invalid(f"metadata.{key}", new.get(key, ""), IMMUTABLE)
    added = set(new.get("finalizers") or ()) - set(old.get("finalizers") or ())
    if old.get("deletionTimestamp") and added:
        detail = (
            "no new finalizers can be added if the object is being deleted, "
            f"found new finalizers {sorted(added)}"
        )
        yield forbidden("metadata.finalizers", detail)


def check_label_selector(selector: Object | None, field: str) -> Iterator[Cause]:
    """The rules of a metav1.LabelSelector."""
    yield from check_labels((selector or {}).get("matchLabels"), f"{field}.matchLabels")
    for index, expression in enumerate((selector or {}).get("matchExpressions") or ()):
        path = f"{field}.matchExpressions[{index}]"
        operator, values = expression.get("operator", ""), expression.get("values") or ()
        if operator in ("In", "NotIn") and not values:
            detail = "must be specified when `operator` is 'In' or 'NotIn'"
            yield required(f"{path}.values", detail)
        elif operator in ("Exists", "DoesNotExist") and values:
            detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            yield forbidden(f"{path}.values", detail)
        elif operator not in _SELECTOR_OPERATORS:
            yield invalid(f"{path}.operator", operator, "not a valid selector operator")
        yield from _named(names.qualified_name, expression.get("key", ""), f"{path}.key")
        for position, value in enumerate(values):
            yield from _named(names.label_value, value, f"{path}.values[{position}]")


def check_immutable(new: Any, old: Any, field: str) -> Iterator[Cause]:
    """Whatever the value is, it stays."""
    if new != old:
        yield invalid(field, new, IMMUTABLE)
