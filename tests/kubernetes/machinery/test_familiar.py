"""What is remembered of equal values is what would be found out anew."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kubernetes.kinds.core.pod_validation import pod_rules
from sampan.kubernetes.machinery import familiar
from sampan.kubernetes.machinery.familiar import Familiar, remembering
from sampan.kubernetes.schema import structure

POD = "io.k8s.api.core.v1.Pod"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


def pod(**changes: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "hello:1", "terminationMessagePolicy": "File"}
    container["imagePullPolicy"] = "IfNotPresent"
    spec = {"containers": [container], "restartPolicy": "Always", "dnsPolicy": "ClusterFirst"}
    metadata = {"name": "web", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {**spec, **changes}}


@given(VALUES)
def test_a_function_that_remembers_gives_the_same(value: Any) -> None:
    remembered = remembering(repr)
    assert remembered(value) == remembered(value) == repr(value)


def test_equal_values_are_worked_on_once_and_large_ones_each_time() -> None:
    seen: list[Any] = []
    remembered = remembering(seen.append)
    for _ in range(3):
        remembered({"a": [1, 2]})
        remembered({"a": [1, 3]})
    assert seen == [{"a": [1, 2]}, {"a": [1, 3]}]
    large = "x" * (familiar._LARGEST + 1)
    remembered(large)
    remembered(large)
    assert seen[2:] == [large, large]


def test_a_failure_is_not_remembered() -> None:
    answers = [ValueError("no"), "yes"]

    def work(_: Any) -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    remembered = remembering(work)
    with pytest.raises(ValueError, match="no"):
        remembered(1)
    assert remembered(1) == "yes"


def test_only_the_last_values_are_familiar() -> None:
    known = Familiar()
    for number in range(familiar._MOST + 1):
        known.add(b"%d" % number)
    assert b"0" not in known
    assert b"1" in known
    assert b"%d" % familiar._MOST in known


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"unheardOf": True},
        {"hostNetwork": None},
        {"activeDeadlineSeconds": 2**40},
        {"containers": [{"image": "nameless:1"}]},
        {"containers": [{"name": "main", "resources": {"limits": {"cpu": 1}}}]},
    ],
)
def test_the_schema_finds_the_same_each_time(changes: dict[str, Any]) -> None:
    found = []
    for _ in range(3):
        tree = pod(**changes)
        findings = structure.check(POD, tree)
        found.append((findings.unknown, findings.causes, tree))
    assert found[0] == found[1] == found[2]


def test_a_spec_of_the_wrong_type_is_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(structure.WrongType, match=r"spec\.dnsPolicy"):
            structure.check(POD, pod(dnsPolicy=5))


def test_equal_specs_of_different_kinds_are_not_confused() -> None:
    tree = pod()
    structure.check(POD, tree)
    findings = structure.check("io.k8s.api.core.v1.Service", {**tree, "spec": dict(tree["spec"])})
    assert "spec.containers" in findings.unknown


@pytest.mark.parametrize("changes", [{}, {"restartPolicy": "Sometimes"}, {"nodeName": "A B"}])
def test_the_rules_of_pods_find_the_same_each_time(changes: dict[str, Any]) -> None:
    tree = pod(**changes)
    first = list(pod_rules(tree, None))
    assert list(pod_rules(pod(**changes), None)) == first
    assert bool(first) == bool(changes)
