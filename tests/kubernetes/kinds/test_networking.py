"""The kinds of networking.k8s.io: defaults, and each rule with an object that breaks it."""

from typing import Any

import pytest

from sampan.kubernetes.kinds.kind import Kind
from sampan.kubernetes.kinds.networking.ingresses import INGRESS, INGRESS_CLASS
from sampan.kubernetes.kinds.networking.network_policies import NETWORK_POLICY
from sampan.kubernetes.kinds.networking.service_ranges import IP_ADDRESS, SERVICE_CIDR

BACKEND = {"service": {"name": "web", "port": {"number": 80}}}


def _path(**fields: Any) -> dict[str, Any]:
    entry = {"path": "/", "pathType": "Prefix", "backend": BACKEND, **fields}
    return {"spec": {"rules": [{"http": {"paths": [entry]}}]}}


def _ingress(**spec: Any) -> dict[str, Any]:
    return {"spec": {"defaultBackend": BACKEND, **spec}}


def _incoming(**rule: Any) -> dict[str, Any]:
    return {"spec": {"ingress": [rule]}}


PATH = "spec.rules[0].http.paths[0]"
PORT = "spec.ingress[0].ports[0]"
PEER = "spec.ingress[0].from[0]"
WRONG: list[tuple[Kind, dict[str, Any], str, str]] = [
    (INGRESS, {"spec": {}}, "spec", "either `defaultBackend` or `rules` must be specified"),
    (INGRESS, _path(path="x"), f"{PATH}.path", "must be an absolute path"),
    (INGRESS, _path(path="/a//b"), f"{PATH}.path", "must not contain '//'"),
    (INGRESS, _path(path="/a/.."), f"{PATH}.path", "cannot end with '/..'"),
    (INGRESS, _path(pathType="Regex"), f"{PATH}.pathType", "Unsupported value"),
    (INGRESS, _path(backend={}), f"{PATH}.backend", "resource or service backend is required"),
    (
        INGRESS,
        _path(backend={"service": {"name": "web"}}),
        f"{PATH}.backend",
        "port name or number is required",
    ),
    (
        INGRESS,
        _path(backend={"service": {"name": "web", "port": {"name": "a", "number": 1}}}),
        f"{PATH}.backend",
        "cannot set both port name & port number",
    ),
    (
        INGRESS,
        _ingress(rules=[{"host": "10.0.0.1"}]),
        "spec.rules[0].host",
        "must be a DNS name, not an IP address",
    ),
    (INGRESS, _ingress(rules=[{"host": "a.*.b"}]), "spec.rules[0].host", "wildcard DNS-1123"),
    (INGRESS, _ingress(tls=[{"hosts": ["A"]}]), "spec.tls[0].hosts[0]", "lowercase RFC 1123"),
    (INGRESS, _ingress(ingressClassName="A"), "spec.ingressClassName", "lowercase RFC 1123"),
    (
        INGRESS,
        {
            "metadata": {"annotations": {"kubernetes.io/ingress.class": "x"}},
            **_ingress(ingressClassName="y"),
        },
        "annotations.kubernetes.io/ingress.class",
        "must match `ingressClassName`",
    ),
    (INGRESS_CLASS, {"spec": {}}, "spec.controller", "Required value"),
    (INGRESS_CLASS, {"spec": {"controller": "a"}}, "spec.controller", "domain-prefixed path"),
    (
        INGRESS_CLASS,
        {
            "spec": {
                "controller": "a.b/c",
                "parameters": {"kind": "K", "name": "n", "scope": "Namespace"},
            }
        },
        "spec.parameters.namespace",
        "`parameters.scope` is set to 'Namespace'",
    ),
    (
        INGRESS_CLASS,
        {
            "spec": {
                "controller": "a.b/c",
                "parameters": {"kind": "K", "name": "n", "namespace": "x"},
            }
        },
        "spec.parameters.namespace",
        "`parameters.scope` is set to 'Cluster'",
    ),
    (NETWORK_POLICY, _incoming(ports=[{"port": 0}]), f"{PORT}.port", "between 1 and 65535"),
    (
        NETWORK_POLICY,
        _incoming(ports=[{"port": 9, "endPort": 8}]),
        f"{PORT}.endPort",
        "must be greater than or equal to `port`",
    ),
    (
        NETWORK_POLICY,
        _incoming(ports=[{"port": "http", "endPort": 8}]),
        f"{PORT}.endPort",
        "may not be specified when `port` is non-numeric",
    ),
    (NETWORK_POLICY, _incoming(ports=[{"protocol": "X"}]), f"{PORT}.protocol", "Unsupported"),
    (NETWORK_POLICY, _incoming(**{"from": [{}]}), PEER, "must specify a peer"),
    (
        NETWORK_POLICY,
        _incoming(**{"from": [{"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}}]}),
        PEER,
        "may not specify both ipBlock and another peer",
    ),
    (
        NETWORK_POLICY,
        _incoming(**{"from": [{"ipBlock": {"cidr": "10.0.0.0"}}]}),
        f"{PEER}.ipBlock.cidr",
        "must be a valid CIDR value",
    ),
    (
        NETWORK_POLICY,
        _incoming(**{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}}]}),
        f"{PEER}.ipBlock.except[0]",
        "must be a strict subset of `cidr`",
    ),
    (NETWORK_POLICY, {"spec": {"policyTypes": ["Up"]}}, "spec.policyTypes[0]", "Unsupported"),
    (SERVICE_CIDR, {"spec": {}}, "spec.cidrs", "at least one CIDR required"),
    (SERVICE_CIDR, {"spec": {"cidrs": ["10.0.0.1/8"]}}, "spec.cidrs[0]", "beyond the prefix"),
    (SERVICE_CIDR, {"spec": {"cidrs": ["2001:DB8::/64"]}}, "spec.cidrs[0]", "canonical form"),
    (
        SERVICE_CIDR,
        {"spec": {"cidrs": ["10.0.0.0/8", "11.0.0.0/8"]}},
        "spec.cidrs",
        "no more than one IP for each IP family",
    ),
    (IP_ADDRESS, {"metadata": {"name": "x"}}, "metadata.name", "must be a valid IP address"),
    (IP_ADDRESS, {"metadata": {"name": "2001:DB8::1"}}, "metadata.name", "canonical form"),
    (IP_ADDRESS, {"metadata": {"name": "10.0.0.1"}}, "spec.parentRef", "Required value"),
]


@pytest.mark.parametrize(
    ("kind", "tree", "field", "message"),
    WRONG,
    ids=[f"{kind.resource.kind} {message}" for kind, _, _, message in WRONG],
)
def test_rules(causes: Any, kind: Kind, tree: dict[str, Any], field: str, message: str) -> None:
    assert message in causes(kind, tree).get(field, "")


def test_a_policy_is_about_what_has_rules() -> None:
    for spec, types in (
        ({}, ["Ingress"]),
        ({"egress": [{}]}, ["Ingress", "Egress"]),
        ({"egress": [{}], "policyTypes": ["Egress"]}, ["Egress"]),
    ):
        policy: dict[str, Any] = {"spec": dict(spec)}
        NETWORK_POLICY.default(policy)
        assert policy["spec"]["policyTypes"] == types
    policy = _incoming(ports=[{"port": 80}])
    NETWORK_POLICY.default(policy)
    assert policy["spec"]["ingress"][0]["ports"] == [{"port": 80, "protocol": "TCP"}]


def test_what_stays(causes: Any) -> None:
    old = {"spec": {"controller": "a.b/c"}}
    assert "spec.controller" in causes(INGRESS_CLASS, {"spec": {"controller": "a.b/d"}}, old)
    reference = {"resource": "services", "name": "a"}
    address = {"metadata": {"name": "10.0.0.1"}, "spec": {"parentRef": reference}}
    other = {**address, "spec": {"parentRef": {**reference, "name": "b"}}}
    assert "spec.parentRef" in causes(IP_ADDRESS, other, address)


@pytest.mark.parametrize(
    ("ranges", "field"),
    [
        (["10.0.0.0/16"], None),
        (["10.0.0.0/16", "2001:db8::/64"], None),
        (["10.1.0.0/16"], "spec.cidrs[0]"),
        (["10.1.0.0/16", "2001:db8::/64"], "spec.cidrs[0]"),
        ([], "spec.cidrs"),
    ],
)
def test_a_range_may_only_gain_a_second_family(
    causes: Any, ranges: list[str], field: str | None
) -> None:
    found = causes(SERVICE_CIDR, {"spec": {"cidrs": ranges}}, {"spec": {"cidrs": ["10.0.0.0/16"]}})
    assert (field in found) if field else found == {}


def test_the_status_of_an_ingress_names_hosts_and_addresses(causes: Any) -> None:
    def status(**entry: str) -> dict[str, Any]:
        return {**_ingress(), "status": {"loadBalancer": {"ingress": [entry]}}}

    field = "status.loadBalancer.ingress[0]"
    assert causes(INGRESS, status(ip="10.0.0.1"), _ingress(), "status") == {}
    assert f"{field}.ip" in causes(INGRESS, status(ip="x"), _ingress(), "status")
    assert f"{field}.hostname" in causes(INGRESS, status(hostname="10.0.0.1"), _ingress(), "status")
