"""Merging the configuration that a mutation gives into the object (KEP-3962, "ApplyConfiguration").

The merge is that of server-side apply. What is owned as a whole can't be given: an atomic list
would lose what it held without anybody having said so.
"""

from collections.abc import Iterator
from typing import Any

from sampan.control.api.writing.field_management import place_of
from sampan.kubernetes.expressions.errors import EvaluationFailed
from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.machinery.field_merge import merge
from sampan.kubernetes.machinery.field_places import Items, Members, Place

_NAMED_OTHERWISE = ("apiVersion", "kind")
_FIXED = frozenset(("name", "namespace", "generateName", "uid"))


def configured(kind: Kind, current: Object, config: Any) -> Object:
    """The object with the configuration. Raises EvaluationFailed, InvalidItems."""
    if not isinstance(config, dict):
        raise EvaluationFailed("ApplyConfiguration must evaluate to Object")
    given = {name: value for name, value in config.items() if name not in _NAMED_OTHERWISE}
    _check_names(given.get("metadata") or {}, current.get("metadata") or {})
    place = place_of(kind)
    atomic = list(_atomic(place, given, ""))
    if atomic:
        listed = ", ".join(atomic)
        raise EvaluationFailed(f"may not mutate atomic arrays, maps or structs: {listed}")
    merged: Object = merge(place, current, given)
    return merged


def _check_names(given: Object, current: Object) -> None:
    for name in sorted(_FIXED & given.keys()):
        if given[name] != current.get(name):
            raise EvaluationFailed(f"metadata.{name} may not be changed")


def _atomic(place: Place, value: Any, path: str) -> Iterator[str]:
    """The paths of what is given and owned as a whole."""
    here = place.of(value)
    if isinstance(here, Members) and isinstance(value, dict):
        for name, it in value.items():
            yield from _atomic(here.member(name), it, f"{path}.{name}")
    elif isinstance(here, Items) and isinstance(value, list):
        for index, it in enumerate(value):
            yield from _atomic(here.item, it, f"{path}[{index}]")
    elif isinstance(value, dict | list):
        yield path
