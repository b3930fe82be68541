"""Strategic merge patches: directives, merge keys, order."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kubernetes.machinery.patches import InvalidPatch
from sampan.kubernetes.machinery.strategic_merge import strategic_merge_patch

POD = "io.k8s.api.core.v1.Pod"
DEPLOYMENT = "io.k8s.api.apps.v1.Deployment"


def _pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": list(containers), **spec}}


A, B, C = ({"name": name, "image": f"{name}:1"} for name in "abc")


@pytest.mark.parametrize(
    ("current", "patch", "merged"),
    [
        (_pod(A, B), _pod({"name": "a", "image": "a:2"}), _pod({"name": "a", "image": "a:2"}, B)),
        (_pod(A), _pod(B), _pod(B, A)),
        (_pod(A, B), _pod({"name": "a", "$patch": "delete"}), _pod(B)),
        (_pod(A, B), _pod({"$patch": "replace"}, C), _pod(C)),
        (_pod(A), _pod({"name": "a", "$patch": "replace"}), _pod()),
        (
            _pod({**A, "args": ["x"]}),
            _pod({"name": "a", "args": ["y"]}),
            _pod({**A, "args": ["y"]}),
        ),
        (_pod({**A, "args": ["x"]}), _pod({"name": "a", "args": None}), _pod(A)),
        (
            _pod(A),
            {"spec": {"nodeSelector": {"x": "y", "z": None}}},
            _pod(A, nodeSelector={"x": "y"}),
        ),
        (
            _pod(A, nodeSelector={"a": "b"}),
            {"spec": {"nodeSelector": {"$patch": "replace", "x": "y"}}},
            _pod(A, nodeSelector={"x": "y"}),
        ),
        (
            _pod(A, nodeSelector={"a": "b"}),
            {"spec": {"nodeSelector": {"$patch": "delete"}}},
            _pod(A, nodeSelector={}),
        ),
        (_pod(A), {"spec": {"tolerations": [{"key": "a"}]}}, _pod(A, tolerations=[{"key": "a"}])),
        (
            _pod(A, tolerations=[{"key": "a"}]),
            {"spec": {"tolerations": [{"key": "b"}]}},
            _pod(A, tolerations=[{"key": "b"}]),
        ),
    ],
)
def test_pairs(current: Any, patch: Any, merged: Any) -> None:
    assert strategic_merge_patch(POD, current, patch) == merged


def test_the_order_of_elements_can_be_set() -> None:
    order = [{"name": name} for name in "cba"]
    patch = {"spec": {"$setElementOrder/containers": order, "containers": [C]}}
    assert strategic_merge_patch(POD, _pod(A, B), patch) == _pod(C, B, A)


def test_elements_that_the_order_leaves_out_keep_their_place() -> None:
    order = [{"name": "c"}]
    patch = {"spec": {"$setElementOrder/containers": order}}
    assert strategic_merge_patch(POD, _pod(A, B, C), patch) == _pod(A, B, C)


def test_primitive_lists_merge_and_lose_elements() -> None:
    current = {"metadata": {"finalizers": ["a", "b", "c"]}}
    patch = {
        "metadata": {
            "$deleteFromPrimitiveList/finalizers": ["b"],
            "$setElementOrder/finalizers": ["d", "c", "a"],
            "finalizers": ["d", "a"],
        }
    }
    merged = strategic_merge_patch(POD, current, patch)
    assert merged == {"metadata": {"finalizers": ["d", "c", "a"]}}


def test_keys_that_are_not_retained_go() -> None:
    current = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert strategic_merge_patch(DEPLOYMENT, current, patch) == {
        "spec": {"strategy": {"type": "Recreate"}}
    }


@pytest.mark.parametrize(
    "patch",
    [
        {"$patch": "explode"},
        {"spec": {"$retainKeys": ["a"], "b": 1}},
        {"spec": {"$retainKeys": "a"}},
        {"spec": {"containers": [{"image": "no-name"}]}},
        {"spec": {"containers": ["text"]}},
        {"spec": {"containers": [{"name": "a", "$patch": "what"}]}},
        {"spec": {"containers": [{"name": ["a"]}]}},
        {"metadata": {"$deleteFromPrimitiveList/finalizers": "a"}},
    ],
)
def test_what_is_refused(patch: dict[str, Any]) -> None:
    with pytest.raises(InvalidPatch):
        strategic_merge_patch(POD, _pod(A), patch)


def test_arguments_are_not_changed() -> None:
    current, patch = _pod(A, B), _pod({"name": "a", "image": "new"}, C)
    strategic_merge_patch(POD, current, patch)
    assert current == _pod(A, B)
    assert patch == _pod({"name": "a", "image": "new"}, C)


_images = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["1", "2"]), max_size=6)


@given(_images, _images, st.sets(st.sampled_from("abcdef")))
def test_a_list_by_key_behaves_as_a_map(
    current: dict[str, str], changes: dict[str, str], deleted: set[str]
) -> None:
    def containers(images: dict[str, str]) -> list[dict[str, str]]:
        return [{"name": name, "image": image} for name, image in images.items()]

    changes = {name: image for name, image in changes.items() if name not in deleted}
    elements = containers(changes) + [{"name": name, "$patch": "delete"} for name in deleted]
    merged = strategic_merge_patch(POD, _pod(*containers(current)), _pod(*elements))
    found = {it["name"]: it["image"] for it in merged["spec"]["containers"]}
    model = {**current, **changes}
    assert found == {name: image for name, image in model.items() if name not in deleted}
