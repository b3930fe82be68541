"""Ownership of fields: random managers write random objects, and the rules hold."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sampan.kubernetes.machinery import field_places, field_set
from sampan.kubernetes.machinery.field_merge import check_items
from sampan.kubernetes.machinery.field_ownership import Conflicts, Writing, applied, updated
from sampan.kubernetes.machinery.managed_fields import manager_of, read
from sampan.kubernetes.schema.definitions import Schema

TEXT = Schema(type="string")
ITEM = Schema(
    type="object",
    properties={
        "name": TEXT,
        "value": TEXT,
        "atoms": Schema(type="array", items=TEXT, list_type="atomic"),
    },
)
SCHEMA = Schema(
    type="object",
    properties={
        "text": TEXT,
        "inner": Schema(type="object", properties={"a": TEXT, "b": TEXT}),
        "labels": Schema(type="object", values=TEXT),
        "whole": Schema(type="object", values=TEXT, map_type="atomic"),
        "atoms": Schema(type="array", items=TEXT, list_type="atomic"),
        "tags": Schema(type="array", items=TEXT, list_type="set"),
        "items": Schema(type="array", items=ITEM, list_type="map", list_map_keys=("name",)),
        "free": Schema(type="any"),
    },
)
PLACE = field_places.root(SCHEMA)

_values = st.sampled_from(["1", "2"])
_map = st.dictionaries(st.sampled_from("abc"), _values, min_size=1, max_size=3)
_atoms = st.lists(_values, min_size=1, max_size=2)
_item = st.fixed_dictionaries(
    {"name": st.sampled_from("xyz")}, optional={"value": _values, "atoms": _atoms}
)
_config = st.fixed_dictionaries(
    {},
    optional={
        "text": _values,
        "inner": st.dictionaries(st.sampled_from("ab"), _values, min_size=1),
        "labels": _map,
        "whole": _map,
        "atoms": _atoms,
        "tags": st.lists(st.sampled_from("pqr"), min_size=1, max_size=3, unique=True),
        "items": st.lists(_item, min_size=1, max_size=3, unique_by=lambda it: it["name"]),
        "free": st.one_of(_values, st.dictionaries(st.sampled_from("ab"), _values, min_size=1)),
    },
)
_step = st.tuples(
    st.sampled_from(["apply", "force", "update"]), st.sampled_from(["one", "two", "three"]), _config
)


def writing(name: str, operation: Any, time: int = 0) -> Writing:
    return Writing(manager_of(name, operation, "v1", ""), "v1", f"2026-01-01T00:00:{time:02}Z")


def owners_of(tree):
    return read(tree["metadata"].get("managedFields"))


def leaves(tree):
    """Each leaf's path with its value, told by the schema alone."""
    return {path: value for path, value in _leaves(PLACE, tree, ()) if path[:1] != ("f:metadata",)}


def _leaves(place, value, path):
    place = place.of(value)
    if isinstance(place, field_places.Members) and isinstance(value, dict):
        for name, below in value.items():
            yield from _leaves(place.member(name), below, (*path, f"f:{name}"))
    elif isinstance(place, field_places.Items) and isinstance(value, list):
        for entry in value:
            yield from _leaves(place.item, entry, (*path, place.element(entry)))
    else:
        yield path, json.dumps(value, sort_keys=True)


def prefixes(tree):
    return {path[:length] for path in leaves(tree) for length in range(1, len(path) + 1)}


def step(tree, operation, name, config, time):
    """The object after one write; None when the write is refused."""
    if operation == "update":
        new = {**config, "metadata": tree["metadata"]}
        entries = updated(PLACE, tree, new, writing(name, "Update", time))
        return {**new, "metadata": {"managedFields": entries}}
    try:
        made = writing(name, "Apply", time)
        return applied(PLACE, tree, config, made, force=operation == "force")
    except Conflicts:
        return None


def start(config):
    entries = updated(PLACE, None, {**config, "metadata": {}}, writing("first", "Update"))
    return {**config, "metadata": {"managedFields": entries}}


@given(_config, st.lists(_step, max_size=6))
@settings(max_examples=300, deadline=None)
def test_the_rules_of_ownership_hold(first, steps):
    tree = start(first)
    for time, (operation, name, config) in enumerate(steps):
        before, text = tree, json.dumps([tree, config])
        after = step(tree, operation, name, config, time + 1)
        assert json.dumps([before, config]) == text, "arguments are never changed"
        if after is None:
            continue
        tree = after
        check_owners(tree)
        if operation == "update":
            assert leaves(tree) == leaves(config)
        else:
            check_applied(before, config, name, tree)


def check_owners(tree):
    there = prefixes(tree)
    for owned in owners_of(tree).values():
        assert owned.fields, "nobody has an empty entry"
        for path in field_set.paths(owned.fields):
            assert path in there, "what is owned exists"


def check_applied(before, config, name, tree):
    old, wanted, new = leaves(before), leaves(config), leaves(tree)
    assert wanted.items() <= new.items(), "what is applied is in the result"
    last = owners_of(before).get(manager_of(name, "Apply", "v1", ""))
    given_up = set(field_set.paths(last.fields)) if last is not None else set()
    for path in new.keys() - wanted.keys():
        assert new[path] == old.get(path), "nothing else is added or changed"
    for path in old.keys() - new.keys():
        on_the_way = {path[:length] for length in range(1, len(path) + 1)}
        replaced = any(
            other[: len(path)] == path or path[: len(other)] == other for other in wanted
        )
        assert on_the_way & given_up or replaced, "only what was given up is removed"
    made = writing(name, "Apply", 59)
    again = applied(PLACE, tree, config, made, force=False)
    assert leaves(again) == new, "applying again changes nothing"
    mine = owners_of(tree)[made.manager].fields if config else {}
    assert set(field_set.paths(mine)) == set(field_set.paths(PLACE.fields(config)))


@given(_config, _config)
@settings(max_examples=200, deadline=None)
def test_an_unforced_apply_changes_no_field_that_another_owns(first, config):
    tree = start(first)
    old = leaves(tree)
    after = step(tree, "apply", "one", config, 1)
    changed = {path for path, value in leaves(config).items() if old.get(path, value) != value}
    # What nobody had may be added; what the first writer has may not become another value.
    assert (after is None) == bool(changed) or _forms_differ(first, config)
    if after is not None and not _forms_differ(first, config):
        assert old.items() <= leaves(after).items()


def _forms_differ(one, other):
    return type(one.get("free")) is not type(other.get("free"))


def test_applied_items_stand_in_the_applied_order():
    live = {"items": [{"name": it} for it in "abcd"], "metadata": {}}
    config = {"items": [{"name": it} for it in "cxa"]}
    tree = applied(PLACE, live, config, writing("one", "Apply"), force=True)
    assert [it["name"] for it in tree["items"]] == ["b", "c", "d", "x", "a"]


def test_an_item_goes_with_its_last_applier_although_another_owns_a_part():
    one = applied(PLACE, None, {"items": [{"name": "x"}]}, writing("one", "Apply"), force=False)
    new = {**one, "items": [{"name": "x", "value": "1"}]}
    entries = updated(PLACE, one, new, writing("two", "Update"))
    tree = {**new, "metadata": {"managedFields": entries}}
    tree = applied(PLACE, tree, {"text": "1"}, writing("one", "Apply"), force=False)
    assert "items" not in tree
    assert [it["manager"] for it in tree["metadata"]["managedFields"]] == ["one"]


def test_what_is_atomic_is_owned_whole():
    tree = start({"atoms": ["1"], "whole": {"a": "1"}})
    config = {"atoms": ["1", "2"], "whole": {"b": "1"}}
    with pytest.raises(Conflicts) as refused:
        applied(PLACE, tree, config, writing("one", "Apply"), force=False)
    assert [path for _, path in refused.value.pairs()] == [".atoms", ".whole"]


def test_items_that_cannot_be_told_apart_are_reported():
    tree = {"items": [{"name": "x"}, {"name": "x"}, {"value": "1"}], "tags": ["a", {}, "a"]}
    assert check_items(PLACE, tree) == [
        '.items: duplicate entries for key [name="x"]',
        ".items: element 2: associative list with keys has an element that omits all key fields "
        "['name'] (and doesn't have default values for any key fields)",
        ".tags: element 1: associative list without keys has an element that's a map type",
        '.tags: duplicate entries for key [="a"]',
    ]


def test_what_has_become_atomic_is_owned_whole():
    tree = applied(PLACE, None, {"labels": {"a": "1"}}, writing("one", "Apply"), force=False)
    labels = Schema(type="object", values=TEXT, map_type="atomic")
    place = field_places.root(Schema(type="object", properties={"labels": labels}))
    with pytest.raises(Conflicts) as refused:
        applied(place, tree, {"labels": {"b": "1"}}, writing("two", "Apply"), force=False)
    assert [path for _, path in refused.value.pairs()] == [".labels"]
