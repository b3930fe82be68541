"""Merging what somebody applies into what is there, and removing owned paths from a tree.

The rules are those of structured-merge-diff (`Merge`, `RemoveItems`): fields are merged one by
one, items of lists by their keys, everything atomic is replaced. Arguments are never changed;
results share with them what stays.
"""

from typing import Any

from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.machinery.field_change import InvalidItems
from sampan.kubernetes.machinery.field_places import Items, Members, Place
from sampan.kubernetes.machinery.field_set import MEMBER, FieldSet, is_member


def check_items(place: Place, value: Any, path: str = "") -> list[str]:
    """What makes the items of applied lists impossible to tell apart, each with its path."""
    place = place.of(value)
    if isinstance(place, Members) and isinstance(value, dict):
        found = [
            check_items(place.member(it), below, f"{path}.{it}") for it, below in value.items()
        ]
        return [problem for problems in found for problem in problems]
    if isinstance(place, Items) and isinstance(value, list):
        return _check_list(place, value, path)
    return []


def _check_list(place: Items, values: list[Any], path: str) -> list[str]:
    problems: list[str] = []
    seen: set[str] = set()
    for index, value in enumerate(values):
        try:
            element = place.element(value)
        except InvalidItems as error:
            problems.append(f"{path}: element {index}: {error}")
            continue
        if element in seen:
            problems.append(f"{path}: duplicate entries for key {place.shown(element)}")
        seen.add(element)
        problems += check_items(place.item, value, path + place.shown(element))
    return problems


def merge(place: Place, live: Any, config: Any) -> Any:
    """What is there with what is applied on it. Raises InvalidItems for lists of the latter."""
    place = place.of(config)
    if isinstance(place, Members) and isinstance(live, dict) and (live or config):
        return _merge_members(place, live, config) if isinstance(config, dict) else live
    if isinstance(place, Items) and isinstance(live, list) and (live or config):
        return _merge_items(place, live, config) if isinstance(config, list) else live
    return config


def _merge_members(place: Members, live: Object, config: Object) -> Object:
    merged = dict(live)
    for name, value in config.items():
        before = live.get(name)
        merged[name] = value if before is None else merge(place.member(name), before, value)
    return merged


def _merge_items(place: Items, live: list[Any], config: list[Any]) -> list[Any]:
    """Applied items stand in the applied order; what is only live keeps its place before the
    applied item that it stood before."""
    applied = {place.element(value): value for value in config}
    places = {element: index for index, element in enumerate(applied)}
    elements = _elements(place, live)
    present = dict(zip(elements, live, strict=True))
    both = iter([element for element in applied if element and element in present])
    due = [_merge_item(place, present, applied, element) for element in applied]
    awaited, done = next(both, None), 0
    merged: list[Any] = []
    for element, value in zip(elements, live, strict=True):
        if element not in applied:
            merged.append(value)
        elif element == awaited:
            merged += due[done : places[element] + 1]
            awaited, done = next(both, None), places[element] + 1
        # Any other one was there before another that it has to follow, and comes after that.
    return merged + due[done:]


def _elements(place: Items, values: list[Any]) -> list[str]:
    """The elements of what is there; what cannot be told apart is kept, under no element."""
    found = []
    for value in values:
        try:
            found.append(place.element(value))
        except InvalidItems:
            found.append("")
    return found


def _merge_item(
    place: Items, present: dict[str, Any], applied: dict[str, Any], element: str
) -> Any:
    if element not in present:
        return applied[element]
    return merge(place.item, present[element], applied[element])


def remove(place: Place, value: Any, fields: FieldSet) -> Any:
    """The value without the paths in a set; what is emptied by that becomes None."""
    place = place.of(value)
    if isinstance(place, Members) and isinstance(value, dict) and value:
        kept: Object = {}
        for name, below in value.items():
            node = fields.get(f"f:{name}")
            if node is None:
                kept[name] = below
            elif not is_member(node):
                left = remove(place.member(name), below, node)
                if left is not None:
                    kept[name] = left
        return kept or None
    if isinstance(place, Items) and isinstance(value, list) and value:
        return _remove_items(place, value, fields)
    return value


def _remove_items(place: Items, values: list[Any], fields: FieldSet) -> list[Any] | None:
    kept: list[Any] = []
    for element, value in zip(_elements(place, values), values, strict=True):
        node = fields.get(element)
        if node is None:
            kept.append(value)
        elif not is_member(node):
            kept.append(remove(place.item, value, node))
    return kept or None


def with_named(place: Place, fields: FieldSet) -> FieldSet:
    """The set with every field on the way to its paths that has a name in the schema."""
    place = _form_of(place, fields)
    result: FieldSet = {}
    for element, child in fields.items():
        if element == MEMBER or not child:
            result[element] = child
            continue
        below = with_named(_below(place, element), child)
        own = isinstance(place, Members) and element[:2] == "f:" and place.is_named(element[2:])
        result[element] = {MEMBER: {}, **below} if own and MEMBER not in below else below
    return result


def fitted(place: Place, fields: FieldSet) -> FieldSet:
    """A set that was made when the schema was another: what has become atomic is owned whole."""
    place = _form_of(place, fields)
    if not isinstance(place, Members | Items):
        return {}
    return {
        element: fitted(_below(place, element), child) if child else child
        for element, child in fields.items()
    }


def _form_of(place: Place, fields: FieldSet) -> Place:
    """Where the schema leaves it open, fields in a set say that an object is meant."""
    return place.of({} if any(element[:2] == "f:" for element in fields) else None)


def _below(place: Place, element: str) -> Place:
    if isinstance(place, Members):
        return place.member(element[2:])
    return place.item if isinstance(place, Items) else place
