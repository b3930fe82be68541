"""Strategic merge patches: merge patches that know which lists are maps by a key.

The rules are those of k8s.io/apimachinery `strategicpatch`: patch strategies and merge keys come
from the schema, the directives `$patch`, `$retainKeys`, `$deleteFromPrimitiveList/FIELD` and
`$setElementOrder/FIELD` from the patch. Arguments are never changed; what stays is shared.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.machinery.patches import InvalidPatch
from sampan.kubernetes.schema.definitions import Schema, definition, resolve

_PATCH = "$patch"
_RETAIN_KEYS = "$retainKeys"
_DELETE_FROM = "$deleteFromPrimitiveList/"
_SET_ORDER = "$setElementOrder/"

# What tells two elements of a list apart: the value of the merge key, or the element itself.
_Identity = Callable[[Any], Hashable]


def strategic_merge_patch(name: str, current: Object, patch: Object) -> Object:
    """The merged object; `name` is the definition of its kind. Raises InvalidPatch."""
    return _merge_map(definition(name), current, patch)


def _merge_map(schema: Schema | None, current: Object, patch: Object) -> Object:
    directive = patch.get(_PATCH)
    if directive == "replace":
        return _merge_map(schema, {}, _without(patch, _PATCH))
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise InvalidPatch(f"unknown patch type: {directive!r}")
    merged = _retained(current, patch)
    orders, deletions, changes = _sorted_out(patch)
    for key, value in changes.items():
        if value is None:
            merged.pop(key, None)
        else:
            member = _member(schema, key)
            merged[key] = _merge_value(member, merged.get(key), value)
    for key, values in deletions.items():
        if isinstance(merged.get(key), list):
            gone = {_primitive(value) for value in values}
            merged[key] = [value for value in merged[key] if _primitive(value) not in gone]
    for key, order in orders.items():
        if isinstance(merged.get(key), list) and _merges(_member(schema, key)):
            server = current.get(key) if isinstance(current.get(key), list) else []
            merged[key] = _in_given_order(_member(schema, key), merged[key], order, server or [])
    return merged


def _without(tree: Object, key: str) -> Object:
    return {name: value for name, value in tree.items() if name != key}


def _retained(current: Object, patch: Object) -> Object:
    """A copy of `current`, with only the keys that the patch wants to be kept."""
    kept = patch.get(_RETAIN_KEYS)
    if kept is None:
        return dict(current)
    if not isinstance(kept, list):
        raise InvalidPatch(f"{_RETAIN_KEYS} is a list of keys")
    for key, value in patch.items():
        if not key.startswith("$") and value is not None and key not in kept:
            raise InvalidPatch(f"{_RETAIN_KEYS} doesn't contain the field {key!r} of the patch")
    return {key: value for key, value in current.items() if key in kept}


def _sorted_out(patch: Object) -> tuple[Object, Object, Object]:
    """The patch's element orders, deletions from primitive lists, and plain changes, by field."""
    orders: Object = {}
    deletions: Object = {}
    changes: Object = {}
    for key, value in patch.items():
        for prefix, found in ((_SET_ORDER, orders), (_DELETE_FROM, deletions)):
            if key.startswith(prefix):
                if not isinstance(value, list):
                    raise InvalidPatch(f"{key} is a list")
                found[key.removeprefix(prefix)] = value
                break
        else:
            if key not in (_PATCH, _RETAIN_KEYS):
                changes[key] = value
    return orders, deletions, changes


def _member(schema: Schema | None, key: str) -> Schema | None:
    """The schema of a field; it carries the field's own patch strategy."""
    if schema is None:
        return None
    target = resolve(schema)
    return target.properties.get(key) or target.values


def _merges(schema: Schema | None) -> bool:
    return schema is not None and "merge" in schema.patch_strategies


def _merge_value(schema: Schema | None, current: Any, patch: Any) -> Any:
    if isinstance(patch, dict):
        if schema is not None and "replace" in schema.patch_strategies:
            current = {}
        return _merge_map(schema, current if isinstance(current, dict) else {}, patch)
    if isinstance(patch, list):
        base = current if isinstance(current, list) and _merges(schema) else []
        if _merges(schema):
            return _merge_list(schema, base, patch)
        return [_stripped(value) for value in patch]
    return patch


def _stripped(value: Any) -> Any:
    """An element that is taken as it is, without directives and nulls."""
    return _merge_map(None, {}, value) if isinstance(value, dict) else value


def _merge_list(schema: Schema | None, current: list[Any], patch: list[Any]) -> list[Any]:
    merge_key = schema.merge_key if schema else ""
    if not merge_key:
        merged = list(current)
        seen = {_primitive(value) for value in merged}
        for value in patch:
            if _primitive(value) not in seen:
                seen.add(_primitive(value))
                merged.append(value)
        return _interleaved(merged, patch, current, _primitive)
    items = schema.items if schema else None
    return _merge_objects(items, merge_key, current, patch)


def _merge_objects(
    items: Schema | None, merge_key: str, current: list[Any], patch: list[Any]
) -> list[Any]:
    identity = _by_key(merge_key)
    changes = [element for element in patch if _directive(element) in (None, "merge")]
    if any(_directive(element) == "replace" for element in patch):
        return [_merge_map(items, {}, element) for element in changes]
    deleted = {identity(element) for element in patch if _directive(element) == "delete"}
    merged = [element for element in current if identity(element) not in deleted]
    places = {identity(element): place for place, element in enumerate(merged)}
    for element in changes:
        key = identity(element)
        if key in places:
            merged[places[key]] = _merge_map(items, merged[places[key]], element)
        else:
            places[key] = len(merged)
            merged.append(_merge_map(items, {}, element))
    return _interleaved(merged, changes, current, identity)


def _directive(element: Any) -> str | None:
    if not isinstance(element, dict):
        raise InvalidPatch("a list that merges by a key holds objects only")
    directive = element.get(_PATCH)
    if directive not in (None, "merge", "replace", "delete"):
        raise InvalidPatch(f"unknown patch type: {directive!r}")
    return directive


def _by_key(merge_key: str) -> _Identity:
    def identity(element: Any) -> Hashable:
        if not isinstance(element, dict) or element.get(merge_key) is None:
            raise InvalidPatch(f"an element does not contain the declared merge key: {merge_key}")
        return _primitive(element[merge_key])

    return identity


def _primitive(value: Any) -> Hashable:
    if isinstance(value, dict | list):
        raise InvalidPatch("lists of lists, or of objects without merge key, can't be merged")
    return (type(value).__name__, value)


def _in_given_order(
    schema: Schema | None, merged: list[Any], order: list[Any], server: Sequence[Any]
) -> list[Any]:
    merge_key = schema.merge_key if schema else ""
    identity = _by_key(merge_key) if merge_key else _primitive
    return _interleaved(merged, order, server, identity)


def _interleaved(
    merged: list[Any], order: Sequence[Any], server: Sequence[Any], identity: _Identity
) -> list[Any]:
    """Elements named by `order` in that order; all others keep the server's order, each placed
    before the first ordered element that the server had behind it."""
    ranks = {identity(element): rank for rank, element in enumerate(order)}
    places = {identity(element): place for place, element in enumerate(server)}
    ordered = [element for element in merged if identity(element) in ranks]
    ordered.sort(key=lambda element: ranks[identity(element)])
    others = [element for element in merged if identity(element) not in ranks]
    others.sort(key=lambda element: places.get(identity(element), len(places)))
    result: list[Any] = []
    for element in ordered:
        place = places.get(identity(element))
        while others and place is not None and places.get(identity(others[0]), place) < place:
            result.append(others.pop(0))
        result.append(element)
    return result + others
