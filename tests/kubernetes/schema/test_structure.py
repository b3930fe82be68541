"""The pass that holds an object to its schema."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kubernetes.schema.structure import WrongType, check

POD = "io.k8s.api.core.v1.Pod"
_FIELDS = (
    *("metadata", "labels", "name", "spec", "status", "containers", "ports", "containerPort"),
    *("env", "resources", "limits", "volumes", "emptyDir", "hostNetwork", "foo"),
)
DEPLOYMENT = "io.k8s.api.apps.v1.Deployment"


def _pod(**container: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "c", **container}]}}


def test_unknown_fields_are_reported_and_pruned() -> None:
    tree = _pod(imagePullPolice="Always")
    tree["foo"] = 1
    findings = check(POD, tree)
    assert sorted(findings.unknown) == ["foo", "spec.containers[0].imagePullPolice"]
    assert tree == _pod()


def test_nulls_are_dropped() -> None:
    tree = _pod(image="i", command=None)
    tree["metadata"] = {"name": "a", "creationTimestamp": None, "labels": {"a": None}}
    check(POD, tree)
    assert tree["metadata"] == {"name": "a", "labels": {"a": ""}}
    assert tree["spec"] == _pod(image="i")["spec"]


def test_keys_of_maps_are_free() -> None:
    tree = {"metadata": {"labels": {"any/thing": "x"}}, **_pod()}
    assert check(POD, tree).unknown == []


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (
            {"spec": {"containers": "x"}},
            "cannot unmarshal string into Go struct field Pod.spec.containers of type array",
        ),
        (
            _pod(image=3),
            "cannot unmarshal number 3 into Go struct field "
            "Pod.spec.containers[0].image of type string",
        ),
        ({"spec": {"hostNetwork": "yes"}}, "of type bool"),
        ({"spec": {"priority": 2**40}}, "of type int32"),
        ({"spec": {"priority": True}}, "cannot unmarshal bool"),
        ({"spec": {"priority": 1.5}}, "of type int32"),
        ({"spec": []}, "cannot unmarshal array"),
        ({"metadata": {"labels": {"a": 1}}}, "Pod.metadata.labels.a of type string"),
        ({"metadata": {"creationTimestamp": "yesterday"}}, 'parsing time "yesterday"'),
        (_pod(args=[{}]), "Pod.spec.containers[0].args[0] of type string"),
        (_pod(livenessProbe={"tcpSocket": {"port": []}}), "IntOrString"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(tree: dict[str, Any], message: str) -> None:
    with pytest.raises(WrongType) as refusal:
        check(POD, tree)
    assert message in str(refusal.value)


def test_bytes_must_be_base64() -> None:
    with pytest.raises(WrongType, match=r"base64|ASCII"):
        check("io.k8s.api.core.v1.Secret", {"data": {"a": "§"}})


def test_what_is_missing_becomes_causes() -> None:
    findings = check(POD, {"spec": {"containers": [{"ports": [{}]}]}})
    assert [(cause.field, cause.reason, cause.message) for cause in findings.causes] == [
        ("spec.containers[0].ports[0].containerPort", "FieldValueRequired", "Required value"),
        ("spec.containers[0].name", "FieldValueRequired", "Required value"),
    ]


def test_an_empty_required_list_of_a_client_counts_as_missing() -> None:
    findings = check(POD, {"spec": {"containers": None}})
    assert [cause.field for cause in findings.causes] == ["spec.containers"]


def test_of_a_missing_object_its_own_required_fields_are_missing() -> None:
    tree = {
        "spec": {
            "affinity": {
                "podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1}]}
            },
            "containers": [{"name": "c"}],
        }
    }
    field = "spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0]"
    assert [cause.field for cause in check(POD, tree).causes] == [
        f"{field}.podAffinityTerm.topologyKey"
    ]


def test_a_status_may_be_incomplete() -> None:
    tree = {**_pod(), "status": {"containerStatuses": [{"name": "c"}]}}
    assert check(POD, tree).causes == []


def test_quantities_become_canonical_and_bad_ones_causes() -> None:
    tree = _pod(resources={"limits": {"cpu": 1, "memory": "1024Mi"}, "requests": {"cpu": "lots"}})
    findings = check(POD, tree)
    assert tree["spec"]["containers"][0]["resources"]["limits"] == {"cpu": "1", "memory": "1Gi"}
    (cause,) = findings.causes
    assert (cause.field, cause.reason) == (
        "spec.containers[0].resources.requests.cpu",
        "FieldValueInvalid",
    )
    assert cause.message.startswith('Invalid value: "lots": quantities must match the regular')


def test_whole_floats_are_integers() -> None:
    tree: dict[str, Any] = {"spec": {"replicas": 3.0}}
    check(DEPLOYMENT, tree)
    assert repr(tree["spec"]["replicas"]) == "3"


def test_times_become_canonical() -> None:
    tree = {"metadata": {"creationTimestamp": "2026-01-02T03:04:05.678+01:00"}, **_pod()}
    check(POD, tree)
    assert tree["metadata"]["creationTimestamp"] == "2026-01-02T02:04:05Z"
    lease = {"spec": {"renewTime": "2026-01-02T03:04:05Z"}}
    check("io.k8s.api.coordination.v1.Lease", lease)
    assert lease["spec"]["renewTime"] == "2026-01-02T03:04:05.000000Z"


def test_free_form_values_stay() -> None:
    tree = {"metadata": {"managedFields": [{"fieldsV1": {"f:a": {}, "x": None}}]}, **_pod()}
    check(POD, tree)
    assert tree["metadata"]["managedFields"] == [{"fieldsV1": {"f:a": {}, "x": None}}]


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "a", "1Gi", "80%"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(_FIELDS), inner, max_size=3)
    ),
    max_leaves=15,
)


@given(st.dictionaries(st.sampled_from(_FIELDS), _values, max_size=3))
def test_a_second_pass_finds_nothing_to_change(tree: dict[str, Any]) -> None:
    try:
        check(POD, tree)
    except WrongType:
        return
    before = msgspec.json.encode(tree)
    assert check(POD, tree).unknown == []
    assert msgspec.json.encode(tree) == before
