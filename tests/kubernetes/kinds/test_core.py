"""Namespaces, nodes, events, ConfigMaps, Secrets."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from sampan.kubernetes.kinds.core.configuration import CONFIG_MAP, SECRET
from sampan.kubernetes.kinds.core.events import EVENT
from sampan.kubernetes.kinds.core.namespaces import NAMESPACE
from sampan.kubernetes.kinds.core.nodes import NODE
from sampan.kubernetes.kinds.kind import Kind

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def _cells(kind: Kind, tree: dict[str, Any]) -> dict[str, Any]:
    return {column.name: column.cell(tree, NOW) for column in kind.columns}


def _causes(kind: Kind, new: dict[str, Any], old: dict[str, Any] | None = None) -> dict[str, str]:
    return {cause.field: cause.message for cause in kind.validate(new, old)}


def test_a_new_namespace_is_active_labelled_and_finalized() -> None:
    namespace: dict[str, Any] = {"metadata": {"name": "a"}}
    NAMESPACE.default(namespace)
    NAMESPACE.prepare(namespace, None)
    assert namespace == {
        "metadata": {"name": "a", "labels": {"kubernetes.io/metadata.name": "a"}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }
    assert _causes(NAMESPACE, namespace) == {}


def test_the_finalizer_of_a_namespace_is_not_taken_away_by_an_update() -> None:
    old = {"metadata": {"name": "a"}, "spec": {"finalizers": ["kubernetes"]}, "status": {}}
    new: dict[str, Any] = {"metadata": {"name": "a"}, "spec": {}}
    NAMESPACE.prepare(new, old)
    assert new["spec"] == {"finalizers": ["kubernetes"]}


def test_a_name_with_slashes_is_refused() -> None:
    assert "metadata.name" in _causes(NAMESPACE, {"metadata": {"name": "../x"}})


def test_a_node_registers_with_its_status() -> None:
    node = {"metadata": {"name": "n"}, "status": {"capacity": {"cpu": "2"}}}
    NODE.default(node)
    NODE.prepare(node, None)
    assert node["status"]["allocatable"] == {"cpu": "2"}


def test_a_pod_range_stays() -> None:
    old = {"metadata": {"name": "n"}, "spec": {"podCIDR": "10.42.0.0/24"}}
    new = {"metadata": {"name": "n"}, "spec": {"podCIDR": "10.42.1.0/24"}}
    for node in (old, new):
        NODE.default(node)
    assert "spec.podCIDRs" in _causes(NODE, new, old)


def test_node_columns() -> None:
    node: dict[str, Any] = {
        "metadata": {"name": "n", "labels": {"node-role.kubernetes.io/control-plane": ""}},
        "spec": {"unschedulable": True},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "addresses": [{"type": "InternalIP", "address": "10.44.0.1"}],
            "nodeInfo": {"kubeletVersion": "v1.37.0"},
        },
    }
    cells = _cells(NODE, node)
    assert cells["Status"] == "Ready,SchedulingDisabled"
    assert cells["Roles"] == "control-plane"
    assert (cells["Internal-IP"], cells["External-IP"]) == ("10.44.0.1", "<none>")
    assert cells["Version"] == "v1.37.0"
    node["status"]["conditions"] = [{"type": "Ready", "status": "Unknown"}]
    assert _cells(NODE, node)["Status"] == "NotReady,SchedulingDisabled"


def test_a_node_status_may_carry_labels() -> None:
    old = {"metadata": {"name": "n", "uid": "u"}, "spec": {"podCIDR": "x"}}
    new: dict[str, Any] = {
        "metadata": {"name": "n", "labels": {"a": "b"}},
        "spec": {},
        "status": {"x": 1},
    }
    NODE.prepare_status(new, old)
    assert new == {
        "metadata": {"name": "n", "uid": "u", "labels": {"a": "b"}},
        "spec": {"podCIDR": "x"},
        "status": {"x": 1},
    }


def test_events_can_be_selected_by_what_they_are_about() -> None:
    event = {
        "metadata": {"name": "e", "namespace": "d"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "d"},
        "source": {"component": "kubelet"},
        "type": "Normal",
        "count": 3,
        "firstTimestamp": "2026-01-01T11:00:00Z",
        "lastTimestamp": "2026-01-01T11:59:00Z",
    }
    assert _causes(EVENT, event) == {}
    fields = EVENT.selectable(event)
    assert (fields["involvedObject.name"], fields["source"], fields["reason"]) == (
        "p",
        "kubelet",
        "",
    )
    cells = _cells(EVENT, event)
    assert (cells["Object"], cells["Last Seen"], cells["First Seen"], cells["Count"]) == (
        "pod/p",
        "60s",
        "60m",
        "3",
    )


def test_an_event_lives_where_its_object_does() -> None:
    event = {"metadata": {"name": "e", "namespace": "d"}, "involvedObject": {"namespace": "x"}}
    assert _causes(EVENT, event)["involvedObject.namespace"].endswith(
        "does not match event.namespace"
    )


def test_text_of_a_secret_becomes_data() -> None:
    secret: dict[str, Any] = {"metadata": {"name": "s", "namespace": "d"}, "stringData": {"a": "b"}}
    SECRET.default(secret)
    assert secret["data"] == {"a": base64.b64encode(b"b").decode()}
    assert secret["type"] == "Opaque"
    assert "stringData" not in secret
    assert _causes(SECRET, secret) == {}


def test_a_secret_of_a_type_has_its_keys() -> None:
    secret = {
        "metadata": {"name": "s", "namespace": "d"},
        "type": "kubernetes.io/tls",
        "data": {"tls.crt": ""},
    }
    assert _causes(SECRET, secret) == {"data[tls.key]": "Required value"}
    assert "type" in _causes(SECRET, {**secret, "type": "Opaque"}, secret)


def test_an_immutable_map_stays() -> None:
    old = {"metadata": {"name": "m", "namespace": "d"}, "data": {"a": "b"}, "immutable": True}
    assert _causes(CONFIG_MAP, {**old, "data": {"a": "c"}}, old)["data"].startswith("Forbidden")
    assert "immutable" in _causes(CONFIG_MAP, {**old, "immutable": False}, old)


def test_a_map_is_bounded_and_its_keys_have_a_form() -> None:
    huge = {"metadata": {"name": "m", "namespace": "d"}, "data": {"a/b": "x" * (1 << 20), "c": "y"}}
    causes = _causes(CONFIG_MAP, huge)
    assert causes[""].startswith("Too long")
    assert "data[a/b]" in causes


@pytest.mark.parametrize(
    ("kind", "data", "causes"),
    [
        ("kubernetes.io/basic-auth", {}, {"data[username]", "data[password]"}),
        ("kubernetes.io/basic-auth", {"password": "eA=="}, set()),
        ("kubernetes.io/ssh-auth", {}, {"data[ssh-privatekey]"}),
        ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": "e30="}, set()),
        (
            "kubernetes.io/dockerconfigjson",
            {".dockerconfigjson": "eA=="},
            {"data[.dockerconfigjson]"},
        ),
        ("kubernetes.io/dockercfg", {}, {"data[.dockercfg]"}),
        (
            "kubernetes.io/service-account-token",
            {},
            {"metadata.annotations[kubernetes.io/service-account.name]"},
        ),
        ("helm.sh/release.v1", {"release": "eA=="}, set()),
        ("Opaque", {"a b": "eA=="}, {"data[a b]"}),
    ],
)
def test_secrets_hold_what_their_type_says(
    kind: str, data: dict[str, str], causes: set[str]
) -> None:
    secret = {"metadata": {"name": "s", "namespace": "d"}, "type": kind, "data": data}
    assert _causes(SECRET, secret).keys() == causes
    assert not any("eA" in message for message in _causes(SECRET, secret).values())


def test_a_key_is_either_text_or_bytes() -> None:
    config_map = {
        "metadata": {"name": "m", "namespace": "d"},
        "data": {"a": "x"},
        "binaryData": {"a": "eA=="},
    }
    assert _causes(CONFIG_MAP, config_map) == {
        "data[a]": 'Invalid value: "a": duplicate of key present in binaryData'
    }


def test_a_node_keeps_its_ranges_and_its_provider() -> None:
    old = {"metadata": {"name": "n"}, "spec": {"podCIDRs": ["10.42.0.0/24"], "providerID": "a"}}
    new = {"metadata": {"name": "n"}, "spec": {"podCIDRs": ["x"], "providerID": "b"}}
    assert _causes(NODE, old, old) == {}
    assert _causes(NODE, new, old).keys() == {
        "spec.podCIDRs[0]",
        "spec.podCIDRs",
        "spec.providerID",
    }
