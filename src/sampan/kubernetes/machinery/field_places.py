"""The places of a schema as ownership sees them, and the field sets that values there have.

Theory: a schema is compiled once into places: leaves, which are owned whole (scalars and whatever
is atomic), objects and maps, whose fields are owned one by one, and lists whose items are told
apart by keys or by their value. The rules are those of structured-merge-diff: `fields` is its
ToFieldSet, `compare` its Compare. Nothing here changes a value, or knows who owns what.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from operator import itemgetter
from typing import Any

from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.machinery.familiar import remembering
from sampan.kubernetes.machinery.field_change import Change, InvalidItems, note, without_itself
from sampan.kubernetes.machinery.field_set import (
    MEMBER,
    FieldSet,
    in_order,
    key_element,
    key_text,
    render,
    value_element,
)
from sampan.kubernetes.schema.definitions import Schema, definition

# Fields that are never absent, as they are in Go: structs without a pointer, and one list. An
# empty one stands for an absent one, so that nobody owns the field itself.
_NEVER_ABSENT = frozenset(
    {
        "metadata",
        "spec",
        "status",
        "template",
        "jobTemplate",
        "strategy",
        "updateStrategy",
        "containers",
        "loadBalancer",
        "nodeInfo",
        "daemonEndpoints",
        "kubeletEndpoint",
    }
)
_OF_TEMPLATES = "spec"
# The published schema holds no defaults; these are the ones of keys.
_KEY_DEFAULTS: Mapping[str, Any] = {"protocol": "TCP"}

# Of each place so many forms are remembered, none of more fields than this.
_MAXIMUM_SHAPES = 256
_MAXIMUM_NAMES = 64


class Place:
    """A leaf: a scalar, or a list or object that is owned as a whole."""

    def of(self, _value: Any) -> "Place":
        """The place that a value makes of this one, where the schema leaves it open."""
        return self

    def fields(self, _value: Any) -> FieldSet:
        """The node of a value that somebody applies; a leaf's node is empty."""
        return {}

    def added(self, _value: Any) -> FieldSet:
        """The node of a value that wasn't there before."""
        return {}

    def compare(self, old: Any, new: Any, element: str, change: Change) -> None:
        """Note under `element` what differs between two present values."""
        if old != new:
            change.modified[element] = {}


LEAF = Place()

# The node of an object with certain fields, and those of them whose own node depends on the
# value: name, element, place, and whether the field is never absent.
_Shape = tuple[FieldSet, tuple[tuple[str, str, Place, bool], ...]]


class Members(Place):
    """An object with fields of its own, or a map; `others` is the place of a map's values."""

    def __init__(self, properties: Mapping[str, Schema], others: Place | None) -> None:
        self._properties = properties
        self._others = others
        self._known: dict[str, tuple[str, Place, bool]] = {}
        self._shapes: dict[tuple[str, ...], _Shape] = {}
        self._remembering: Callable[[Any], FieldSet] | None = None

    def member(self, name: str) -> Place:
        """The place of a field; one that no schema knows is owned by its content's form."""
        return self._entry(name)[1]

    def is_named(self, name: str) -> bool:
        """Whether a field has a name in the schema, unlike the keys of a map."""
        return name in self._properties

    def _entry(self, name: str) -> tuple[str, Place, bool]:
        """The element, the place, and whether the field is never absent."""
        known = self._known.get(name)
        if known is not None:
            return known
        schema = self._properties.get(name)
        if schema is None:
            return f"f:{name}", self._others or ANYTHING, False
        place = place_of(schema)
        published = schema.ref or (schema.items is not None and schema.items.ref)
        fixed = bool(published) and place is not LEAF and name in _NEVER_ABSENT
        entry = f"f:{name}", place, fixed
        self._known[name] = entry
        return entry

    def fields(self, value: Any) -> FieldSet:
        node: FieldSet = {}
        if type(value) is not dict:
            return node
        for name in sorted(value):
            below = value[name]
            element, place, _ = self._entry(name)
            place = place.of(below)
            found = place.fields(below)
            if place is LEAF or found:
                own = found and not self.is_named(name)
                node[element] = {MEMBER: {}, **found} if own else found
            elif below is None or below == {} or not self.is_named(name):
                node[element] = {}
        return node

    def added(self, value: Any) -> FieldSet:
        if type(value) is not dict:
            return {}
        names = tuple(value)
        leaves, others = self._shapes.get(names) or self._shape(names)
        if not others:
            return leaves
        node = leaves.copy()
        for name, element, place, fixed in others:
            found = place.added(value[name])
            if not fixed:
                node[element] = found
            elif found:
                node[element] = without_itself(found)
            else:
                del node[element]
        return node

    def _shape(self, names: tuple[str, ...]) -> "_Shape":
        """What all objects with these fields have in common."""
        entries = [(name, *self._entry(name)) for name in sorted(names)]
        node: FieldSet = {MEMBER: {}} if names else {}
        node.update((element, {}) for _, element, _, _ in entries)
        shape = node, tuple(entry for entry in entries if entry[2] is not LEAF)
        if len(self._shapes) < _MAXIMUM_SHAPES and len(names) < _MAXIMUM_NAMES:
            self._shapes[names] = shape
        return shape

    def compare(self, old: Any, new: Any, element: str, change: Change) -> None:
        if old == new:
            return
        if not old and not new:
            # Null and empty: a leaf that was changed.
            change.modified[element] = {}
            return
        inner = self.differences(old or {}, new or {})
        note(element, inner, change)

    def differences(self, old: Object, new: Object) -> Change:
        """What differs between two objects, by their fields."""
        inner = Change({}, {}, {})
        for name in sorted(old.keys() | new.keys()):
            before, after = old.get(name), new.get(name)
            if before is after or (before == after and type(before) is type(after)):
                continue
            element, place, fixed = self._entry(name)
            if name in old and name in new:
                place.compare(before, after, element, inner)
            elif fixed:
                self._of_fixed(name, before, after, inner)
            elif name in new:
                inner.added[element] = place.added(after)
            else:
                inner.removed[element] = place.added(before)
        return inner

    def _of_fixed(self, name: str, before: Any, after: Any, inner: Change) -> None:
        element, place, _ = self._entry(name)
        value = after if after is not None else before
        found = self._added_spec(place, value) if name == _OF_TEMPLATES else place.added(value)
        if found:
            side = inner.added if after is not None else inner.removed
            side[element] = without_itself(found)

    def _added_spec(self, place: Place, value: Any) -> FieldSet:
        """Templates make many equal specs."""
        if self._remembering is None:
            self._remembering = remembering(place.added)
        return self._remembering(value)


class Items(Place):
    """A list whose items are told apart: by `keys`, or, without any, by their value."""

    def __init__(self, keys: Iterable[str], items: Schema, defaults: Mapping[str, Any]) -> None:
        self._keys = tuple(sorted(keys))
        self._items = items
        self._item: Place | None = None if self._keys else LEAF
        self._defaults = defaults
        self._only_key = self._keys[0] if len(self._keys) == 1 else ""
        self._prefix = f"k:{{{key_text(self._only_key)}:"

    @property
    def item(self) -> Place:
        """The place of each item; made when it is asked for, as definitions refer to themselves."""
        if self._item is None:
            self._item = place_of(self._items)
        return self._item

    def element(self, value: Any) -> str:
        """The path element of an item. Raises InvalidItems."""
        if not self._keys:
            if isinstance(value, dict | list) or value is None:
                form = "null" if value is None else "map" if isinstance(value, dict) else "list"
                raise InvalidItems(
                    f"associative list without keys has an element that's a {form} type"
                )
            return value_element(value)
        if type(value) is not dict:
            raise InvalidItems("associative list with keys may not have non-map elements")
        if type(text := value.get(self._only_key)) is str:
            return f"{self._prefix}{key_text(text)}}}"
        keys = {}
        for key in self._keys:
            given = value.get(key, self._defaults.get(key))
            if given is not None:
                keys[key] = given
        if not keys:
            raise InvalidItems(
                "associative list with keys has an element that omits all key fields "
                f"{list(self._keys)} (and doesn't have default values for any key fields)"
            )
        return key_element(keys)

    def shown(self, element: str) -> str:
        """An element as messages name it: `[name="a"]`."""
        return render((element,))

    def indexed(self, values: Iterable[Any]) -> dict[str, list[Any]]:
        """Items by their element, in the order of the list. Raises InvalidItems."""
        found: dict[str, list[Any]] = {}
        for value in values:
            found.setdefault(self.element(value), []).append(value)
        return found

    def fields(self, value: Any) -> FieldSet:
        """Of items that can't be told apart nobody can own any."""
        if type(value) is not list:
            return {}
        item = self.item
        node: FieldSet = {}
        try:
            for entry in self._sorted(value):
                found = item.fields(entry)
                node[self.element(entry)] = {MEMBER: {}, **found} if found else found
        except InvalidItems:
            return {}
        return node

    def added(self, value: Any) -> FieldSet:
        """Items that can't be told apart are owned with the list alone."""
        if not value or type(value) is not list:
            return {}
        item = self.item
        node: FieldSet = {MEMBER: {}}
        try:
            for entry in self._sorted(value):
                node[self.element(entry)] = item.added(entry)
        except InvalidItems:
            return {}
        return node

    def _sorted(self, values: list[Any]) -> list[Any]:
        """Items in the canonical order of their elements. Raises InvalidItems."""
        if len(values) < 2:
            return values
        if self._only_key:
            try:
                return sorted(values, key=itemgetter(self._only_key))
            except (TypeError, KeyError):
                pass
        found = {self.element(value): value for value in values}
        return [found[element] for element in in_order(found)]

    def compare(self, old: Any, new: Any, element: str, change: Change) -> None:
        if old == new:
            return
        if not old and not new:
            change.modified[element] = {}
            return
        try:
            before, after = self.indexed(old or ()), self.indexed(new or ())
        except InvalidItems:
            change.modified[element] = {}
            return
        note(element, self._differences(before, after), change)

    def _differences(self, before: dict[str, list[Any]], after: dict[str, list[Any]]) -> Change:
        item, inner = self.item, Change({}, {}, {})
        for element in in_order(before | after):
            olds, news = before.get(element), after.get(element)
            if olds == news:
                continue
            if olds is None and news is not None:
                inner.added[element] = item.added(news[0])
            elif news is None and olds is not None:
                inner.removed[element] = item.added(olds[0])
            elif olds is not None and news is not None and len(olds) == len(news) == 1:
                item.compare(olds[0], news[0], element, inner)
            else:
                inner.modified[element] = {}
        return inner


class Anything(Place):
    """A place without a schema: objects are owned by their fields, all else as a whole."""

    def of(self, value: Any) -> Place:
        return _FREE if type(value) is dict else LEAF

    def fields(self, value: Any) -> FieldSet:
        return self.of(value).fields(value)

    def added(self, value: Any) -> FieldSet:
        return self.of(value).added(value)

    def compare(self, old: Any, new: Any, element: str, change: Change) -> None:
        place = self.of(old)
        if place is self.of(new):
            place.compare(old, new, element, change)
            return
        change.modified[element] = {}
        for value, side in ((old, change.removed), (new, change.added)):
            below = without_itself(self.added(value))
            if below:
                side[element] = below


ANYTHING = Anything()
_FREE = Members({}, ANYTHING)


def root(schema: Schema) -> Members:
    """The place of a whole object. A schema that says nothing of it is taken as open."""
    place = place_of(schema)
    return place if isinstance(place, Members) else _FREE


def place_of(schema: Schema) -> Place:
    """The place that a schema describes; those of published definitions are made once."""
    if schema.ref:
        return LEAF if schema.map_type == "atomic" else _defined(schema.ref)
    if schema.type == "object":
        if schema.map_type == "atomic":
            return LEAF
        if schema.properties or schema.values is not None:
            return Members(schema.properties, place_of(schema.values) if schema.values else None)
        return ANYTHING
    if schema.type == "array":
        return _list(schema)
    return ANYTHING if schema.type == "any" else LEAF


@cache
def _defined(name: str) -> Place:
    return place_of(definition(name))


def _list(schema: Schema) -> Place:
    items = schema.items
    keys: tuple[str, ...] = ()
    kind = schema.list_type
    if not kind and "merge" in schema.patch_strategies:
        # Lists from before list types: how they are merged says how they are owned.
        kind, keys = ("map", (schema.merge_key,)) if schema.merge_key else ("set", ())
    elif kind == "map":
        keys = schema.list_map_keys
    if items is None or kind not in ("map", "set") or (kind == "map" and not keys):
        return LEAF
    return Items(keys, items, {key: _KEY_DEFAULTS[key] for key in keys if key in _KEY_DEFAULTS})
