"""Which files a volume of configuration holds."""

import json

import msgspec
import pytest

from sampan.node.pod_view import Pod
from sampan.node.references import MissingReference, Surroundings
from sampan.node.volumes.payload import (
    Credentials,
    File,
    TokenRequestKey,
    payload,
    safe_path,
    token_requests,
)

AROUND = Surroundings(
    pod_address="",
    host_address="",
    config_maps={"settings": {"a": b"1", "b": b"2"}},
    secrets={"login": {"password": b"x"}},
)
TOKEN = TokenRequestKey("", 3607)


def pod_with(volume, **spec):
    raw = {
        "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
        "spec": {
            "containers": [{"name": "main", "resources": {"limits": {"memory": "1Mi"}}}],
            "volumes": [{"name": "v", **volume}],
            **spec,
        },
    }
    return msgspec.json.decode(json.dumps(raw), type=Pod)


def files(volume, tokens=None, **spec):
    pod = pod_with(volume, **spec)
    return payload(pod, pod.spec.volumes[0], AROUND, Credentials(tokens or {}))


def test_a_config_map_is_a_file_a_key():
    assert files({"configMap": {"name": "settings"}}) == {"a": File(b"1"), "b": File(b"2")}


def test_chosen_keys_go_where_they_are_told():
    items = [{"key": "a", "path": "deep/one", "mode": 0o600}]
    source = {"name": "settings", "items": items, "defaultMode": 0o640}
    assert files({"configMap": source}) == {"deep/one": File(b"1", 0o600)}


def test_a_secret():
    source = {"secretName": "login", "defaultMode": 0o400}
    assert files({"secret": source}) == {"password": File(b"x", 0o400)}


@pytest.mark.parametrize(
    "volume",
    [
        {"configMap": {"name": "none"}},
        {"secret": {"secretName": "none"}},
        {"configMap": {"name": "settings", "items": [{"key": "none", "path": "p"}]}},
    ],
)
def test_what_is_missing_is_an_error_unless_optional(volume):
    with pytest.raises(MissingReference):
        files(volume)
    ((kind, source),) = volume.items()
    assert files({kind: {**source, "optional": True}}) == {}


def test_the_downward_api():
    items = [
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        {
            "path": "memory",
            "resourceFieldRef": {"containerName": "main", "resource": "limits.memory"},
        },
    ]
    assert files({"downwardAPI": {"items": items}}) == {
        "labels": File(b'app="web"'),
        "memory": File(b"1048576"),
    }


PROJECTED = {
    "projected": {
        "sources": [
            {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
            {"configMap": {"name": "settings", "items": [{"key": "a", "path": "ca.crt"}]}},
            {
                "downwardAPI": {
                    "items": [
                        {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}
                    ]
                }
            },
        ]
    }
}


def test_a_projected_volume_gathers_its_sources():
    found = files(PROJECTED, {TOKEN: "t"})
    assert {name: file.content for name, file in found.items()} == {
        "token": b"t",
        "ca.crt": b"1",
        "namespace": b"shop",
    }


def test_tokens_are_known_before_they_are_asked_for():
    assert token_requests(pod_with(PROJECTED)) == {TOKEN}
    with pytest.raises(MissingReference, match="not been issued"):
        files(PROJECTED)


@pytest.mark.parametrize(
    ("security", "mode", "owner"),
    [
        ({}, 0o644, None),
        ({"runAsUser": 1000}, 0o600, 1000),
        ({"runAsUser": 1000, "fsGroup": 7}, 0o640, None),
    ],
)
def test_a_token_is_readable_by_whom_it_is_for(security, mode, owner):
    found = files(PROJECTED, {TOKEN: "t"}, securityContext=security)
    assert found["token"] == File(b"t", mode, owner)


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "..data", "", "..x/y"])
def test_paths_that_lead_out_are_refused(path):
    with pytest.raises(MissingReference):
        safe_path(path)
