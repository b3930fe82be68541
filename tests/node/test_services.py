"""Services and EndpointSlices, and the ports, names and peers that follow from them."""

import json
from ipaddress import IPv4Address, IPv4Network

import msgspec
import pytest

from sampan.network.contract import DnsRecords, Endpoint, Peer, ServicePort
from sampan.node.cluster_view import EndpointSlice, Node, Service
from sampan.node.dns_names import names_of, removed_names
from sampan.node.peers import peers
from sampan.node.routing import EndpointRouting
from sampan.node.service_ports import ports_of

GATEWAY = IPv4Address("10.42.0.1")


def service(name="web", namespace="shop", **spec):
    spec = {"clusterIP": "10.43.0.7", "ports": [{"name": "http", "port": 80}], **spec}
    raw = {"metadata": {"name": name, "namespace": namespace}, "spec": spec}
    return msgspec.json.decode(json.dumps(raw), type=Service)


def endpoint(address, node="node-1", hostname="", uid="", **conditions):
    return {
        "addresses": [address],
        "nodeName": node,
        "hostname": hostname,
        "conditions": conditions,
        "targetRef": {"kind": "Pod", "uid": uid or address},
    }


def piece(*endpoints, name="web-1", ports=({"name": "http", "port": 8080},)):
    raw = {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "labels": {"kubernetes.io/service-name": "web"},
        },
        "addressType": "IPv4",
        "endpoints": list(endpoints),
        "ports": list(ports),
    }
    return msgspec.json.decode(json.dumps(raw), type=EndpointSlice)


def ports(item, *slices):
    return ports_of(item, slices, node_name="node-1", name_server=GATEWAY)


def chosen(*endpoints, **spec):
    (port,) = ports(service(**spec), piece(*endpoints)).values()
    return [str(item.address) for item in port.endpoints]


def test_a_port_leads_to_the_ready_endpoints_target_port():
    found = ports(service(), piece(endpoint("10.42.1.2", ready=True), endpoint("10.42.0.9")))
    assert found == {
        "shop/web:80/tcp": ServicePort(
            name="shop/web:80/tcp",
            protocol="tcp",
            address=IPv4Address("10.43.0.7"),
            port=80,
            endpoints=(
                Endpoint(IPv4Address("10.42.0.9"), 8080),
                Endpoint(IPv4Address("10.42.1.2"), 8080),
            ),
        )
    }


def test_an_endpoint_that_is_not_ready_gets_no_connections():
    assert chosen(endpoint("10.42.0.2", ready=False), endpoint("10.42.0.3", ready=True)) == [
        "10.42.0.3"
    ]


def test_terminating_endpoints_serve_when_nothing_else_does():
    leaving = endpoint("10.42.0.2", ready=False, serving=True, terminating=True)
    dead = endpoint("10.42.0.3", ready=False, serving=False, terminating=True)
    assert chosen(leaving, dead) == ["10.42.0.2"]
    assert chosen(leaving, dead, endpoint("10.42.0.4", ready=True)) == ["10.42.0.4"]


def test_a_local_policy_keeps_to_this_node():
    here, there = endpoint("10.42.0.2"), endpoint("10.42.1.2", node="node-2")
    assert chosen(here, there, internalTrafficPolicy="Local") == ["10.42.0.2"]


def test_slices_are_joined_and_named_ports_matched():
    item = service(ports=[{"name": "http", "port": 80}, {"name": "admin", "port": 81}])
    first = piece(endpoint("10.42.0.2"))
    second = piece(endpoint("10.42.0.3"), name="web-2", ports=[{"name": "admin", "port": 9}])
    found = ports(item, first, second)
    assert [str(e.address) for e in found["shop/web:80/tcp"].endpoints] == ["10.42.0.2"]
    assert [e.port for e in found["shop/web:81/tcp"].endpoints] == [9]


def test_node_ports_and_affinity():
    spec = {
        "type": "NodePort",
        "ports": [{"name": "http", "port": 80, "nodePort": 30080}],
        "sessionAffinity": "ClientIP",
        "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}},
    }
    (port,) = ports(service(**spec)).values()
    assert (port.node_port, port.affinity_seconds, port.endpoints) == (30080, 60, ())


@pytest.mark.parametrize("address", ["None", ""])
def test_a_service_without_an_address_has_no_ports(address):
    assert ports(service(clusterIP=address), piece(endpoint("10.42.0.2"))) == {}


def test_the_clusters_dns_is_this_nodes_own():
    item = service("kube-dns", "kube-system", ports=[{"port": 53, "protocol": "UDP"}])
    (port,) = ports(item).values()
    assert port.endpoints == (Endpoint(GATEWAY, 53),)
    assert port.protocol == "udp"


ZONE = "web.shop.svc.cluster.local"


def test_names_of_a_service_with_an_address():
    assert names_of(service(), (), "cluster.local") == DnsRecords(
        addresses={ZONE: (IPv4Address("10.43.0.7"),)},
        services={f"_http._tcp.{ZONE}": ((80, ZONE),)},
        pointers={IPv4Address("10.43.0.7"): ZONE},
    )


def test_names_of_a_headless_service_are_its_pods():
    slices = (piece(endpoint("10.42.0.2", hostname="web-0"), endpoint("10.42.1.3")),)
    found = names_of(service(clusterIP="None"), slices, "cluster.local")
    assert found.addresses == {
        ZONE: (IPv4Address("10.42.0.2"), IPv4Address("10.42.1.3")),
        f"web-0.{ZONE}": (IPv4Address("10.42.0.2"),),
        f"10-42-1-3.{ZONE}": (IPv4Address("10.42.1.3"),),
    }
    assert found.services == {
        f"_http._tcp.{ZONE}": ((8080, f"10-42-1-3.{ZONE}"), (8080, f"web-0.{ZONE}"))
    }
    assert found.pointers == {IPv4Address("10.42.0.2"): f"web-0.{ZONE}"}


def test_pods_that_are_not_ready_have_names_only_where_wanted():
    slices = (piece(endpoint("10.42.0.2", ready=False)),)
    assert names_of(service(clusterIP="None"), slices, "cluster.local").addresses == {}
    wanted = service(clusterIP="None", publishNotReadyAddresses=True)
    assert ZONE in names_of(wanted, slices, "cluster.local").addresses


def test_what_is_gone_is_forgotten():
    old = names_of(service(), (), "cluster.local")
    assert removed_names(old, DnsRecords()) == (
        f"_http._tcp.{ZONE}",
        ZONE,
        "7.0.43.10.in-addr.arpa",
    )
    assert removed_names(old, old) == ()


def node(name, address, subnet):
    raw = {
        "metadata": {"name": name},
        "spec": {"podCIDR": subnet} if subnet else {},
        "status": {"addresses": [{"type": "InternalIP", "address": address}] if address else []},
    }
    return msgspec.json.decode(json.dumps(raw), type=Node)


def test_peers_are_the_other_nodes_that_have_an_address_and_a_range():
    nodes = [
        node("node-3", "10.44.0.3", "10.42.2.0/24"),
        node("node-1", "10.44.0.1", "10.42.0.0/24"),
        node("node-2", "10.44.0.2", ""),
        node("node-4", "", "10.42.3.0/24"),
    ]
    assert peers(nodes, "node-1") == (
        Peer("node-3", IPv4Address("10.44.0.3"), IPv4Network("10.42.2.0/24")),
    )


def test_routing_knows_when_a_pod_leaves_the_slices():
    told = []
    routing = EndpointRouting(lambda: 50.0)
    routing.watch("u-1", lambda: told.append("left"))
    ready = piece(endpoint("10.42.0.2", uid="u-1", ready=True))
    leaving = piece(endpoint("10.42.0.2", uid="u-1", ready=False, terminating=True))
    routing.slice_changed(None, ready)
    assert routing.is_routed("u-1")
    routing.slice_changed(None, piece(endpoint("10.42.0.2", uid="u-1"), name="web-2"))
    routing.slice_changed(ready, leaving)
    assert routing.is_routed("u-1")
    assert routing.last_routed("u-1") is None
    routing.slice_changed(piece(endpoint("10.42.0.2", uid="u-1"), name="web-2"), None)
    assert not routing.is_routed("u-1")
    assert (routing.last_routed("u-1"), told) == (50.0, ["left"])
