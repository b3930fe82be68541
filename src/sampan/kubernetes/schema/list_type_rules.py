"""What a custom resource's schema may say of the types of its lists and maps.

The rules and their words are those of k8s.io/apiextensions-apiserver `ValidateStructural`.
"""

from collections.abc import Iterator
from typing import Any

from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery.causes import forbidden, invalid, required, unsupported


def check_list_types(schema: Object, field: str) -> Iterator[Cause]:
    list_type, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys")
    map_type, items = schema.get("x-kubernetes-map-type"), schema.get("items") or {}
    if list_type and schema.get("type") != "array":
        detail = "must be array if x-kubernetes-list-type is specified"
        yield invalid(f"{field}.type", schema.get("type", ""), detail)
    if list_type and list_type not in ("atomic", "set", "map"):
        yield unsupported(f"{field}.x-kubernetes-list-type", list_type, ("atomic", "map", "set"))
    if map_type and schema.get("type") != "object":
        detail = "must be object if x-kubernetes-map-type is specified"
        yield invalid(f"{field}.type", schema.get("type", ""), detail)
    if map_type and map_type not in ("atomic", "granular"):
        yield unsupported(f"{field}.x-kubernetes-map-type", map_type, ("atomic", "granular"))
    if keys and list_type != "map":
        detail = "must be map if x-kubernetes-list-map-keys is non-empty"
        yield invalid(f"{field}.x-kubernetes-list-type", list_type, detail)
    if list_type == "map":
        yield from _check_list_map(keys or (), items, field)
    if list_type == "set":
        yield from _check_list_set(items, field)


def _check_list_map(keys: Any, items: Object, field: str) -> Iterator[Cause]:
    if not keys:
        detail = "must not be empty if x-kubernetes-list-type is map"
        yield required(f"{field}.x-kubernetes-list-map-keys", detail)
    if items.get("type") != "object":
        detail = "must be object if parent array's x-kubernetes-list-type is map"
        yield invalid(f"{field}.items.type", items.get("type", ""), detail)
    if items.get("nullable"):
        detail = "cannot be nullable when x-kubernetes-list-type is map"
        yield forbidden(f"{field}.items.nullable", detail)
    properties = items.get("properties") or {}
    for index, key in enumerate(keys):
        member = properties.get(key) if isinstance(key, str) else None
        if member is None:
            path = f"{field}.x-kubernetes-list-map-keys[{index}]"
            yield invalid(path, key, "entries must all be names of item properties")
            continue
        path = f"{field}.items.properties[{key}]"
        if "default" not in member and key not in (items.get("required") or ()):
            detail = "this property is in x-kubernetes-list-map-keys, so it must have a default "
            yield required(f"{path}.default", detail + "or be a required property")
        if member.get("type") in ("array", "object"):
            detail = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            yield invalid(f"{path}.type", member["type"], detail)
        if member.get("nullable"):
            detail = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"
            yield forbidden(f"{path}.nullable", detail)


def _check_list_set(items: Object, field: str) -> Iterator[Cause]:
    if items.get("nullable"):
        detail = "cannot be nullable when x-kubernetes-list-type is set"
        yield forbidden(f"{field}.items.nullable", detail)
    detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
    map_type, list_type = items.get("x-kubernetes-map-type"), items.get("x-kubernetes-list-type")
    if items.get("type") == "object" and map_type != "atomic":
        yield invalid(f"{field}.items.x-kubernetes-map-type", map_type, detail)
    if items.get("type") == "array" and list_type not in (None, "atomic"):
        yield invalid(f"{field}.items.x-kubernetes-list-type", list_type, detail)
