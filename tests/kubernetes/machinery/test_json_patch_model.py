"""JSON patches against a small model of RFC 6902: the same result, or refused by both."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sampan.kubernetes.machinery.patches import InvalidPatch, PatchRefused, json_patch

_names = st.sampled_from(["a", "b", "0", "1", "-", "x/y", "m~n"])
_trees = st.recursive(
    st.one_of(st.integers(0, 3), st.text("ab", max_size=2), st.booleans(), st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(_names, inner, max_size=3)
    ),
    max_leaves=8,
)
_objects = st.dictionaries(_names, _trees, max_size=3)
_pointers = st.lists(_names, max_size=3).map(
    lambda names: "".join("/" + it.replace("~", "~0").replace("/", "~1") for it in names)
)
_operations = st.one_of(
    st.fixed_dictionaries(
        {"op": st.sampled_from(["add", "replace", "test"]), "path": _pointers, "value": _trees}
    ),
    st.fixed_dictionaries({"op": st.just("remove"), "path": _pointers}),
    st.fixed_dictionaries(
        {"op": st.sampled_from(["copy", "move"]), "path": _pointers, "from": _pointers}
    ),
)


class Refused(Exception):
    """The model says no."""


def parts(pointer: str) -> list[str]:
    return [it.replace("~1", "/").replace("~0", "~") for it in pointer.split("/")[1:]]


def index(values: list[Any], name: str, *, end: int) -> int:
    if name == "-" and end > len(values) - 1:
        return len(values)
    if not name.isdigit() or not int(name) < end:
        raise Refused
    return int(name)


def get(tree: Any, path: list[str]) -> Any:
    for name in path:
        if isinstance(tree, list):
            tree = tree[index(tree, name, end=len(tree))] if name != "-" else _no()
        elif isinstance(tree, dict) and name in tree:
            tree = tree[name]
        else:
            raise Refused
    return tree


def _no() -> Any:
    raise Refused


def is_absent(tree: Any, path: list[str]) -> bool:
    """Kubernetes' own rule: what an object doesn't have can be tested to be null."""
    parent = get(tree, path[:-1])
    return bool(path) and isinstance(parent, dict) and path[-1] not in parent


def put(tree: Any, path: list[str], value: Any, *, replaces: bool) -> Any:
    if not path:
        return value
    parent, name = get(tree, path[:-1]), path[-1]
    if isinstance(parent, dict):
        if replaces and name not in parent:
            raise Refused
        parent[name] = value
    elif isinstance(parent, list) and replaces:
        get(parent, [name])
        parent[int(name)] = value
    elif isinstance(parent, list):
        parent.insert(index(parent, name, end=len(parent) + 1), value)
    else:
        raise Refused
    return tree


def take(tree: Any, path: list[str]) -> Any:
    if not path:
        raise Refused
    parent, name = get(tree, path[:-1]), path[-1]
    get(parent, [name])
    del parent[name if isinstance(parent, dict) else int(name)]
    return tree


def model(tree: Any, operations: list[dict[str, Any]]) -> Any:
    tree = json.loads(json.dumps(tree))
    for operation in json.loads(json.dumps(operations)):
        path, kind = parts(operation["path"]), operation["op"]
        if kind in ("copy", "move"):
            value = json.loads(json.dumps(get(tree, parts(operation["from"]))))
            if kind == "move" and path == parts(operation["from"]):
                continue
            if kind == "move":
                tree = take(tree, parts(operation["from"]))
            tree = put(tree, path, value, replaces=False)
        elif kind == "remove":
            tree = take(tree, path)
        elif kind == "test":
            if operation["value"] is None and is_absent(tree, path):
                continue
            if json.dumps(get(tree, path), sort_keys=True) != json.dumps(
                operation["value"], sort_keys=True
            ):
                raise Refused
        else:
            tree = put(tree, path, operation["value"], replaces=kind == "replace")
    if not isinstance(tree, dict):
        raise Refused
    return tree


@given(_objects, st.lists(_operations, max_size=4))
@settings(max_examples=400, deadline=None)
def test_a_patch_does_what_the_model_does(tree: Any, operations: Any) -> None:
    try:
        wanted = model(tree, operations)
    except Refused:
        with pytest.raises((PatchRefused, InvalidPatch)):
            json_patch(json.loads(json.dumps(tree)), operations)
    else:
        assert json_patch(json.loads(json.dumps(tree)), operations) == wanted
