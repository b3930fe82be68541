"""The parameters of a policy: objects of any kind that its bindings name or select."""

from typing import Any

from sampan.control.api.admission.policies.documents import ParameterKind, ParameterReference
from sampan.control.api.admission.write import Write
from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.kubernetes.kinds.kind import ConversionFailed, Kind
from sampan.kubernetes.kinds.registry import Kinds
from sampan.kubernetes.machinery.selectors import Selector, from_object


class ParametersMissing(Exception):
    """A binding can't be used: its parameters aren't there, or can't be found."""


_NOT_FOUND = "no params found for policy binding with `Deny` parameterNotFoundAction"


async def parameters_of(
    kind: ParameterKind | None,
    reference: ParameterReference | None,
    write: Write,
    cache: WatchCache,
    kinds: Kinds,
) -> list[Any]:
    """The policy is evaluated once for each; without parameters once, with null.

    Raises ParametersMissing.
    """
    if kind is None or reference is None:
        return [None]
    group, _, version = kind.api_version.rpartition("/")
    known = kinds.named(group, version, kind.kind)
    if known is None or not known.stored:
        raise ParametersMissing(
            f"failed to find resource referenced by paramKind: '{kind.api_version}, "
            f"Kind={kind.kind}'"
        )
    namespace = _namespace(known, reference, write)
    try:
        await cache.prepared(known.resource)
    except ConversionFailed as error:
        raise ParametersMissing(str(error)) from error
    found = _found(known, reference, namespace, cache)
    if not found and reference.parameter_not_found_action != "Allow":
        raise ParametersMissing(_NOT_FOUND)
    return found


def _namespace(kind: Kind, reference: ParameterReference, write: Write) -> str:
    if not kind.resource.namespaced:
        if reference.namespace:
            raise ParametersMissing(
                "paramRef.namespace must not be provided for a cluster-scoped `paramKind`"
            )
        return ""
    namespace = reference.namespace or write.namespace
    if not namespace:
        raise ParametersMissing(
            "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
        )
    return namespace


def _found(
    kind: Kind, reference: ParameterReference, namespace: str, cache: WatchCache
) -> list[Any]:
    objects = cache.of(kind.resource)
    if reference.name:
        stored = objects.get(f"{namespace}/{reference.name}")
        return [] if stored is None else [stored.decoded()]
    labels = from_object(reference.selector) or Selector()
    return [it.decoded() for it in objects.select(Selection(namespace, labels))]
