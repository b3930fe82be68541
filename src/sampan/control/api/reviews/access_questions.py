"""What an access review asks: its subject, the attributes of the act, and whether it is well put.

Pure. The texts are those of k8s.io/kubernetes `pkg/apis/authorization/validation`.
"""

from collections.abc import Iterator

from sampan.control.api.attributes import Attributes
from sampan.foundation.wire.message import Identity
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery.causes import forbidden, invalid, required
from sampan.kubernetes.machinery.selectors import (
    FieldRequirement,
    FieldSelector,
    InvalidSelector,
    parse_fields,
)

_WITH_VALUES, _WITHOUT_VALUES = ("In", "NotIn"), ("Exists", "DoesNotExist")
_LOCAL = "LocalSubjectAccessReview"


def subject_of(spec: Object) -> Identity:
    """Whom a question that names somebody is about."""
    extra = {key: tuple(values) for key, values in (spec.get("extra") or {}).items()}
    groups = tuple(spec.get("groups") or ())
    return Identity(spec.get("user", ""), groups, spec.get("uid", ""), extra)


def attributes_of(spec: Object) -> Attributes:
    """The act in question."""
    resource, other = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is None:
        other = other or {}
        return Attributes(verb=other.get("verb", ""), path=other.get("path", ""))
    return Attributes(
        verb=resource.get("verb", ""),
        path="",
        is_resource=True,
        group=resource.get("group", ""),
        version=resource.get("version", ""),
        resource=resource.get("resource", ""),
        subresource=resource.get("subresource", ""),
        namespace=resource.get("namespace", ""),
        name=resource.get("name", ""),
    )


def fields_of(spec: Object) -> FieldSelector:
    """The field selector of the act: what can't be read narrows nothing, so it allows nothing
    more (KEP-4601)."""
    selector = (spec.get("resourceAttributes") or {}).get("fieldSelector") or {}
    if selector.get("rawSelector"):
        try:
            return parse_fields(selector["rawSelector"])
        except InvalidSelector:
            return FieldSelector()
    found = []
    for each in selector.get("requirements") or ():
        operator, values = each.get("operator"), each.get("values") or []
        if operator in _WITH_VALUES and len(values) == 1:
            found.append(FieldRequirement(each.get("key", ""), values[0], equal=operator == "In"))
    return FieldSelector(tuple(found))


def problems(kind: str, spec: Object, namespace: str) -> list[Cause]:
    """What is wrong with a question of `kind` that was asked in `namespace`."""
    resource, other = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    found: list[Cause] = []
    if resource is not None and other is not None:
        detail = "cannot be specified in combination with resourceAttributes"
        found.append(invalid("spec.nonResourceAttributes", other, detail))
    if resource is None and other is None:
        detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        found.append(invalid("spec.resourceAttributes", None, detail))
    if not kind.startswith("Self") and not spec.get("user") and not spec.get("groups"):
        detail = "at least one of user or group must be specified"
        found.append(invalid("spec.user", "", detail))
    if kind == _LOCAL:
        found += _local_problems(resource, other, namespace)
    for name in ("fieldSelector", "labelSelector"):
        selector = (resource or {}).get(name)
        if selector is not None:
            found += _selector_problems(selector, f"spec.resourceAttributes.{name}")
    return found


def _local_problems(
    resource: Object | None, other: Object | None, namespace: str
) -> Iterator[Cause]:
    asked = (resource or {}).get("namespace", "")
    if resource is not None and asked != namespace:
        yield invalid("spec.resourceAttributes.namespace", asked, "must match metadata.namespace")
    if other is not None:
        detail = "disallowed on this kind of request"
        yield invalid("spec.nonResourceAttributes", other, detail)


def _selector_problems(selector: Object, field: str) -> Iterator[Cause]:
    raw, requirements = selector.get("rawSelector"), selector.get("requirements") or ()
    if raw and requirements:
        detail = "may not specified at the same time as requirements"
        yield invalid(f"{field}.rawSelector", raw, detail)
    for index, each in enumerate(requirements):
        path, values = f"{field}.requirements[{index}]", each.get("values") or []
        if not each.get("key"):
            yield required(f"{path}.key", "must be specified")
        if each.get("operator") in _WITH_VALUES:
            if not values:
                yield required(
                    f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"
                )
        elif each.get("operator") in _WITHOUT_VALUES:
            if values:
                detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                yield forbidden(f"{path}.values", detail)
        else:
            yield invalid(
                f"{path}.operator", each.get("operator", ""), "not a valid selector operator"
            )
