"""The kinds of the smaller groups: RBAC, leases, endpoint slices; and metadata that all share."""

from typing import Any

import pytest

from sampan.kubernetes.kinds.coordination import LEASE
from sampan.kubernetes.kinds.discovery import ENDPOINT_SLICE
from sampan.kubernetes.kinds.kind import Kind
from sampan.kubernetes.kinds.rbac import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING


def _causes(kind: Kind, tree: dict[str, Any], old: dict[str, Any] | None = None) -> dict[str, str]:
    metadata = {"name": "a"} | ({"namespace": "d"} if kind.resource.namespaced else {})
    new = {"kind": kind.resource.kind, "metadata": {**metadata, **tree.pop("metadata", {})}, **tree}
    kind.default(new)
    return {cause.field: cause.message for cause in kind.validate(new, old)}


def test_rules_of_roles() -> None:
    right = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    assert _causes(ROLE, {"rules": [right]}) == {}
    assert _causes(ROLE, {"rules": [{**right, "verbs": []}]}) == {
        "rules[0].verbs": "Required value: verbs must contain at least one value"
    }
    assert set(_causes(ROLE, {"rules": [{"verbs": ["get"]}]})) == {
        "rules[0].apiGroups",
        "rules[0].resources",
    }
    path = {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}
    assert "rules[0].nonResourceURLs" in _causes(ROLE, {"rules": [path]})
    assert _causes(CLUSTER_ROLE, {"rules": [path]}) == {}


def test_bindings_name_a_role_and_subjects() -> None:
    right = {
        "roleRef": {"kind": "ClusterRole", "name": "view"},
        "subjects": [
            {"kind": "User", "name": "u"},
            {"kind": "ServiceAccount", "name": "s", "namespace": "d"},
        ],
    }
    assert _causes(ROLE_BINDING, dict(right)) == {}
    wrong = {"roleRef": {"kind": "Role", "name": ""}, "subjects": [{"kind": "Robot", "name": "r"}]}
    assert set(_causes(CLUSTER_ROLE_BINDING, wrong)) == {
        "roleRef.kind",
        "roleRef.name",
        "subjects[0].kind",
    }
    account = {"subjects": [{"kind": "ServiceAccount", "name": "s"}]}
    assert "subjects[0].namespace" in _causes(ROLE_BINDING, {**right, **account})
    old = {
        "metadata": {"name": "a", "namespace": "d"},
        "roleRef": {"kind": "Role", "name": "other"},
    }
    assert _causes(ROLE_BINDING, dict(right), old)["roleRef"].endswith("cannot change roleRef")


def test_leases_last() -> None:
    for spec, field in (
        ({"leaseDurationSeconds": 0}, "spec.leaseDurationSeconds"),
        ({"leaseTransitions": -1}, "spec.leaseTransitions"),
        ({"preferredHolder": "other"}, "spec.preferredHolder"),
        ({"strategy": "Mine"}, "spec.strategy"),
    ):
        assert field in _causes(LEASE, {"spec": spec})
    right = {"strategy": "OldestEmulationVersion", "preferredHolder": "other"}
    assert _causes(LEASE, {"spec": {**right, "holderIdentity": ""}}) == {}


@pytest.mark.parametrize(
    ("tree", "field"),
    [
        ({"addressType": "IPv5"}, "addressType"),
        ({"addressType": "IPv4", "endpoints": [{"addresses": []}]}, "endpoints[0].addresses"),
        (
            {"addressType": "IPv4", "endpoints": [{"addresses": ["::1"]}]},
            "endpoints[0].addresses[0]",
        ),
        (
            {"addressType": "IPv4", "endpoints": [{"addresses": ["127.0.0.1"]}]},
            "endpoints[0].addresses[0]",
        ),
        ({"addressType": "IPv4", "ports": [{"port": 1}, {"port": 2}]}, "ports[1].name"),
        ({"addressType": "IPv4", "ports": [{"appProtocol": "a b"}]}, "ports[0].appProtocol"),
        (
            {"addressType": "IPv4", "endpoints": [{"addresses": ["224.0.0.1"]}]},
            "endpoints[0].addresses[0]",
        ),
        (
            {"addressType": "FQDN", "endpoints": [{"addresses": ["a.b"], "hostname": "A"}]},
            "endpoints[0].hostname",
        ),
        (
            {
                "addressType": "FQDN",
                "endpoints": [
                    {"addresses": ["a.b"], "hints": {"forZones": [{"name": "z"}, {"name": "z"}]}}
                ],
            },
            "endpoints[0].hints.forZones[1].name",
        ),
    ],
)
def test_rules_of_endpoint_slices(tree: dict[str, Any], field: str) -> None:
    assert field in _causes(ENDPOINT_SLICE, tree)


def test_endpoint_slices_count_generations() -> None:
    old: dict[str, Any] = {"metadata": {"name": "a"}, "endpoints": []}
    ENDPOINT_SLICE.prepare(old, None)
    new: dict[str, Any] = {"metadata": {"name": "a"}, "endpoints": [{"addresses": ["10.0.0.1"]}]}
    ENDPOINT_SLICE.prepare(new, old)
    assert (old["metadata"]["generation"], new["metadata"]["generation"]) == (1, 2)


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({"labels": {"a b": "c"}}, "metadata.labels"),
        ({"labels": {"a": "-"}}, "metadata.labels"),
        ({"annotations": {"a": "x" * (257 << 10)}}, "metadata.annotations"),
        ({"ownerReferences": [{"kind": "Pod"}]}, "metadata.ownerReferences[0].uid"),
        ({"finalizers": ["a b"]}, "metadata.finalizers[0]"),
        ({"namespace": "A"}, "metadata.namespace"),
    ],
)
def test_rules_of_metadata(metadata: dict[str, Any], field: str) -> None:
    assert field in _causes(LEASE, {"metadata": metadata})


def test_an_object_has_one_controller() -> None:
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u", "controller": True}
    causes = _causes(LEASE, {"metadata": {"ownerReferences": [owner, owner]}})
    assert (
        "Only one reference can have Controller set to true" in causes["metadata.ownerReferences"]
    )


def test_identity_stays() -> None:
    old = {"metadata": {"name": "a", "namespace": "d", "uid": "1"}}
    assert _causes(LEASE, {"metadata": {"uid": "2"}}, old)["metadata.uid"].endswith(
        "field is immutable"
    )


def test_what_is_being_deleted_gets_no_new_finalizers() -> None:
    old = {"metadata": {"name": "a", "namespace": "d", "deletionTimestamp": "2026-01-01T12:00:00Z"}}
    assert "metadata.finalizers" in _causes(LEASE, {"metadata": {"finalizers": ["a/b"]}}, old)
