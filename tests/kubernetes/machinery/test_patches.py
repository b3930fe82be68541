"""JSON patches and merge patches."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kubernetes.machinery.patches import (
    InvalidPatch,
    PatchRefused,
    PatchTooLarge,
    json_patch,
    merge_patch,
)


@pytest.mark.parametrize(
    ("current", "patch", "merged"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ({"a": "x"}, ["c"], ["c"]),
    ],
)
def test_merge_patch_examples_of_the_rfc(current: Any, patch: Any, merged: Any) -> None:
    assert merge_patch(current, patch) == merged


_trees = st.recursive(
    st.integers(0, 3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


@given(_trees, _trees)
def test_a_merge_patch_is_idempotent(current: Any, patch: Any) -> None:
    once = merge_patch(current, patch)
    assert merge_patch(once, patch) == once


def test_operations_apply_in_order() -> None:
    operations = [
        {"op": "add", "path": "/a/-", "value": 2},
        {"op": "test", "path": "/a/1", "value": 2},
        {"op": "copy", "from": "/a", "path": "/b"},
        {"op": "replace", "path": "/a/0", "value": 9},
        {"op": "move", "from": "/b", "path": "/c~1d"},
        {"op": "remove", "path": "/a/1"},
    ]
    assert json_patch({"a": [1]}, operations) == {"a": [9], "c/d": [1, 2]}


@pytest.mark.parametrize(
    ("operations", "error"),
    [
        (5, InvalidPatch),
        ([3], InvalidPatch),
        ([{"op": "eat", "path": "/a"}], PatchRefused),
        ([{"op": "add", "path": "/a"}], InvalidPatch),
        ([{"op": "add", "path": 3, "value": 1}], InvalidPatch),
        ([{"op": "remove", "path": "/z"}], PatchRefused),
        ([{"op": "test", "path": "/a", "value": 2}], PatchRefused),
        ([{"op": "add", "path": "/a/b/c", "value": 1}], PatchRefused),
        ([{"op": "copy", "from": "/z", "path": "/a"}], PatchRefused),
        ([{"op": "replace", "path": "", "value": 3}], PatchRefused),
        ([{"op": "test", "path": "/a", "value": "x"}] * 10_001, PatchTooLarge),
        ([{"op": "copy", "from": "", "path": f"/{it}"} for it in "bc" * 30], PatchTooLarge),
    ],
)
def test_what_is_refused(operations: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        json_patch({"a": "x" * 100}, operations)


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ({"op": "test", "path": "/a", "value": 2}, "testing value /a failed: test failed"),
        (
            {"op": "remove", "path": "/z"},
            "remove operation does not apply: doc is missing path: /z: missing value",
        ),
        ({"op": "eat", "path": "/a"}, "Unexpected kind: eat"),
    ],
)
def test_what_a_refusal_says(operation: Any, said: str) -> None:
    with pytest.raises(PatchRefused, match=f"^{said}$"):
        json_patch({"a": 1}, [operation])


def test_a_patch_cannot_nest_without_end() -> None:
    operations = [
        {"op": "move", "from": "/a", "path": "/t"},
        {"op": "add", "path": "/a", "value": {}},
        {"op": "move", "from": "/t", "path": "/a/x"},
    ] * 300
    with pytest.raises(PatchTooLarge, match="nested"):
        json_patch({"a": {}}, operations)
