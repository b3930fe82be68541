"""The JSONPaths of custom resources."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kubernetes.machinery import json_path

TREE: dict[str, Any] = {
    "spec": {"size": 3, "a.b": 1, "parts": [{"n": "x", "v": 1}, {"n": "y", "v": 2}]},
    "status": {
        "conditions": [
            {"type": "Ready", "status": "True"},
            {"type": "Other", "status": "False"},
        ]
    },
}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (".spec.size", [3]),
        ("{.spec.size}", [3]),
        ("$.spec.size", [3]),
        (".spec['a.b']", [1]),
        (r".spec.a\.b", [1]),
        (".spec.parts[0].n", ["x"]),
        (".spec.parts[-1].n", ["y"]),
        (".spec.parts[*].v", [1, 2]),
        (".spec.parts[0:1].n", ["x"]),
        (".spec.parts[9].n", []),
        (".spec.missing.more", []),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type != 'Ready')].status", ["False"]),
        (".spec.parts[?(@.v>1)].n", ["y"]),
        (".spec.parts[?(@.n)].v", [1, 2]),
    ],
)
def test_a_path_leads_to_values(text: str, wanted: list[Any]) -> None:
    assert json_path.parse(text).find(TREE) == wanted


def test_simple_paths_tell_their_keys() -> None:
    assert json_path.parse(".spec['a.b']").keys == ("spec", "a.b")
    assert json_path.parse(".spec[0]").keys is None


@pytest.mark.parametrize("text", ["spec", ".spec[", ".spec[?(1)]", "..", ".a[b]", ".x" * 5000])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(json_path.InvalidPath):
        json_path.parse(text)


@given(st.text(alphabet=".[]'\"@?()*\\abc=<0 ", max_size=40))
def test_no_text_does_harm(text: str) -> None:
    try:
        path = json_path.parse(text)
    except json_path.InvalidPath:
        return
    path.find(TREE)
