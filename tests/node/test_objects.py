"""Which objects a pod refers to, and what holds for the ports that it claims on its node."""

from ipaddress import IPv4Address

import pytest

from sampan.kubernetes.kinds.resource import CONFIG_MAPS, SECRETS
from sampan.node.host_ports import host_ports
from sampan.node.objects import CERTIFICATE_REQUESTS, TRUST_BUNDLES, Reference, of

NODE = (IPv4Address("10.44.0.2"), IPv4Address("127.0.0.1"))


def test_every_reference_is_found(make_pod):
    container = {
        "name": "main",
        "env": [
            {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cm-key", "key": "a"}}},
            {"name": "B", "valueFrom": {"secretKeyRef": {"name": "secret-key", "key": "b"}}},
        ],
        "envFrom": [
            {"configMapRef": {"name": "cm-all"}},
            {"secretRef": {"name": "secret-all"}},
        ],
    }
    projected = [
        {"configMap": {"name": "cm-projected"}},
        {"secret": {"name": "secret-projected"}},
        {"serviceAccountToken": {"path": "token"}},
    ]
    volumes = [
        {"name": "one", "configMap": {"name": "cm-volume"}},
        {"name": "two", "secret": {"secretName": "secret-volume"}},
        {"name": "three", "projected": {"sources": projected}},
        {"name": "four", "emptyDir": {}},
    ]
    pod = make_pod({"initContainers": [container], "volumes": volumes})
    config_maps = {"cm-key", "cm-all", "cm-projected", "cm-volume"}
    secrets = {"secret-key", "secret-all", "secret-projected", "secret-volume"}
    assert of(pod) == {Reference(CONFIG_MAPS, "shop", name) for name in config_maps} | {
        Reference(SECRETS, "shop", name) for name in secrets
    }


def test_bundles_and_requests_are_watched_as_a_whole(make_pod):
    sources = [
        {"clusterTrustBundle": {"signerName": "example.com/a", "path": "a"}},
        {"clusterTrustBundle": {"name": "b", "path": "b"}},
        {"podCertificate": {"signerName": "example.com/a", "keyType": "ED25519"}},
    ]
    pod = make_pod({"volumes": [{"name": "trust", "projected": {"sources": sources}}]})
    assert of(pod) == {TRUST_BUNDLES, CERTIFICATE_REQUESTS}


def test_a_pod_without_references_watches_nothing(make_pod):
    assert of(make_pod()) == frozenset()


@pytest.mark.parametrize(
    ("port", "addresses"),
    [
        ({"hostPort": 8080}, ["10.44.0.2", "127.0.0.1"]),
        ({"hostPort": 8080, "hostIP": "0.0.0.0"}, ["10.44.0.2", "127.0.0.1"]),
        ({"hostPort": 8080, "hostIP": "127.0.0.1"}, ["127.0.0.1"]),
        ({"hostPort": 8080, "hostIP": "192.0.2.1"}, []),
    ],
)
def test_addresses_of_claimed_ports(make_pod, port, addresses):
    containers = [{"name": "main", "ports": [{"containerPort": 80, **port}]}]
    (found,) = host_ports(make_pod({"containers": containers}), "10.42.1.5", NODE).values()
    assert [str(item) for item in found.external_addresses] == addresses


def test_a_pod_on_the_hosts_network_needs_no_way_to_it(make_pod):
    containers = [{"name": "main", "ports": [{"containerPort": 80, "hostPort": 80}]}]
    spec = {"hostNetwork": True, "containers": containers}
    assert host_ports(make_pod(spec), "10.44.0.2", NODE) == {}
