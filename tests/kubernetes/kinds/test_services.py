"""Services: defaults, what an update keeps, rules and columns."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sampan.kubernetes.kinds.core.services import SERVICE

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def _service(**spec: Any) -> dict[str, Any]:
    spec = {"ports": [{"port": 80}], **spec}
    service = {"metadata": {"name": "a", "namespace": "d"}, "spec": spec}
    SERVICE.default(service)
    return service


def _causes(service: dict[str, Any], old: dict[str, Any] | None = None) -> dict[str, str]:
    return {cause.field: cause.message for cause in SERVICE.validate(service, old)}


def test_defaults() -> None:
    assert _service()["spec"] == {
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        "sessionAffinity": "None",
        "type": "ClusterIP",
        "internalTrafficPolicy": "Cluster",
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
    }
    assert _service(type="NodePort")["spec"]["externalTrafficPolicy"] == "Cluster"
    assert _service(type="LoadBalancer")["spec"]["allocateLoadBalancerNodePorts"] is True
    sticky = _service(sessionAffinity="ClientIP")["spec"]["sessionAffinityConfig"]
    assert sticky == {"clientIP": {"timeoutSeconds": 10800}}
    assert _service(clusterIP="10.43.0.9")["spec"]["clusterIPs"] == ["10.43.0.9"]


def test_an_update_keeps_what_was_allocated() -> None:
    old = _service(type="NodePort", clusterIP="10.43.0.9")
    old["spec"]["ports"][0]["nodePort"] = 30080
    new = _service(type="NodePort")
    SERVICE.prepare(new, old)
    assert new["spec"]["clusterIP"] == "10.43.0.9"
    assert new["spec"]["clusterIPs"] == ["10.43.0.9"]
    assert new["spec"]["ports"][0]["nodePort"] == 30080
    assert _causes(new, old) == {}


def test_a_change_of_type_gives_up_the_node_ports() -> None:
    old = _service(type="NodePort", clusterIP="10.43.0.9")
    old["spec"]["ports"][0]["nodePort"] = 30080
    new = _service(type="ClusterIP", clusterIP="10.43.0.9", externalTrafficPolicy="Cluster")
    new["spec"]["ports"][0]["nodePort"] = 30080
    SERVICE.prepare(new, old)
    assert "nodePort" not in new["spec"]["ports"][0]
    assert "externalTrafficPolicy" not in new["spec"]
    assert _causes(new, old) == {}


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"ports": []}, "spec.ports", "Required value"),
        (
            {"ports": [{"port": 0}]},
            "spec.ports[0].port",
            "Invalid value: 0: must be between 1 and 65535, inclusive",
        ),
        (
            {"ports": [{"port": 1, "name": "a"}, {"port": 2}]},
            "spec.ports[1].name",
            "Required value",
        ),
        (
            {"ports": [{"port": 1, "name": "a"}, {"port": 2, "name": "a"}]},
            "spec.ports[1].name",
            'Duplicate value: "a"',
        ),
        (
            {"ports": [{"port": 1, "name": "a"}, {"port": 1, "name": "b"}]},
            "spec.ports[1]",
            'Duplicate value: {"protocol":"TCP","port":1}',
        ),
        (
            {"ports": [{"port": 1, "protocol": "HTTP"}]},
            "spec.ports[0].protocol",
            'Unsupported value: "HTTP": supported values: "SCTP", "TCP", "UDP"',
        ),
        (
            {"ports": [{"port": 1, "nodePort": 30000}]},
            "spec.ports[0].nodePort",
            "Forbidden: may not be used when `type` is 'ClusterIP'",
        ),
        ({"type": "Magic"}, "spec.type", None),
        ({"sessionAffinity": "Maybe"}, "spec.sessionAffinity", None),
        ({"clusterIP": "x"}, "spec.clusterIPs[0]", None),
        ({"type": "NodePort", "clusterIP": "None"}, "spec.clusterIPs[0]", None),
        ({"type": "ExternalName"}, "spec.externalName", "Required value"),
        ({"externalIPs": ["127.0.0.1"]}, "spec.externalIPs[0]", None),
        ({"selector": {"a b": "c"}}, "spec.selector", None),
        (
            {"type": "NodePort", "ports": [{"port": 1, "name": "a", "nodePort": 5}] * 2},
            "spec.ports[1].nodePort",
            "Duplicate value: 5",
        ),
        (
            {"type": "LoadBalancer", "ports": [{"port": 10250}]},
            "spec.ports[0]",
            "Invalid value: 10250: may not expose port 10250 externally since it is used by "
            "kubelet",
        ),
        ({"ports": [{"port": 1, "appProtocol": "a b"}]}, "spec.ports[0].appProtocol", None),
        (
            {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 5}}},
            "spec.sessionAffinityConfig",
            "Forbidden: must not be set when session affinity is None",
        ),
        (
            {
                "sessionAffinity": "ClientIP",
                "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 86401}},
            },
            "spec.sessionAffinityConfig.clientIP.timeoutSeconds",
            "Invalid value: 86401: must be greater than 0 and less than 86400",
        ),
        (
            {"loadBalancerSourceRanges": ["10.0.0.0/8"]},
            "spec.loadBalancerSourceRanges",
            "Forbidden: may only be used when `type` is 'LoadBalancer'",
        ),
        (
            {"type": "LoadBalancer", "loadBalancerSourceRanges": ["x"]},
            "spec.loadBalancerSourceRanges[0]",
            None,
        ),
        (
            {"loadBalancerClass": "a/b"},
            "spec.loadBalancerClass",
            "Forbidden: may only be used when `type` is 'LoadBalancer'",
        ),
        (
            {"externalTrafficPolicy": "Local"},
            "spec.externalTrafficPolicy",
            'Invalid value: "Local": may only be set for externally-accessible services',
        ),
        ({"type": "NodePort", "externalTrafficPolicy": "Near"}, "spec.externalTrafficPolicy", None),
        ({"type": "NodePort", "healthCheckNodePort": 30000}, "spec.healthCheckNodePort", None),
        ({"internalTrafficPolicy": "Near"}, "spec.internalTrafficPolicy", None),
        (
            {"trafficDistribution": "PreferMoon"},
            "spec.trafficDistribution",
            'Unsupported value: "PreferMoon": supported values: "PreferClose", "PreferSameNode", '
            '"PreferSameZone"',
        ),
        ({"ipFamilies": ["IPv5"]}, "spec.ipFamilies[0]", None),
        (
            {"ipFamilies": ["IPv4", "IPv4"], "ipFamilyPolicy": "PreferDualStack"},
            "spec.ipFamilies[1]",
            'Duplicate value: "IPv4"',
        ),
        (
            {"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "SingleStack"},
            "spec.ipFamilies",
            None,
        ),
        ({"ipFamilyPolicy": "Both"}, "spec.ipFamilyPolicy", None),
        (
            {"clusterIP": "fd00::1"},
            "spec.clusterIPs[0]",
            'Invalid value: "fd00::1": expected an IPv4 value as indicated by `ipFamilies[0]`',
        ),
        (
            {"clusterIP": "10.43.0.9", "clusterIPs": ["10.43.0.8"]},
            "spec.clusterIPs",
            'Invalid value: ["10.43.0.8"]: first value must match `clusterIP`',
        ),
        (
            {"type": "ExternalName", "externalName": "a.b", "ipFamilies": ["IPv4"]},
            "spec.ipFamilies",
            "Forbidden: may not be set for ExternalName services",
        ),
    ],
)
def test_rules(spec: dict[str, Any], field: str, message: str | None) -> None:
    causes = _causes(_service(**spec))
    assert field in causes
    assert message is None or causes[field] == message


def test_a_headless_service_needs_no_ports() -> None:
    assert _causes(_service(ports=[], clusterIP="None")) == {}


def test_the_address_stays() -> None:
    old, new = _service(clusterIP="10.43.0.9"), _service(clusterIP="10.43.0.8")
    assert _causes(new, old)["spec.clusterIPs[0]"].endswith("may not change once set")


def test_what_a_load_balancer_knows_stays() -> None:
    balanced = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
    old = _service(**balanced, loadBalancerClass="a/b", healthCheckNodePort=30000)
    new = _service(**balanced, loadBalancerClass="a/c", healthCheckNodePort=30001)
    assert _causes(new, old) == {
        "spec.loadBalancerClass": 'Invalid value: "a/c": may not change once set',
        "spec.healthCheckNodePort": "Invalid value: 30001: field is immutable",
    }
    plain = _service(type="ClusterIP", loadBalancerClass="a/b", allocateLoadBalancerNodePorts=True)
    SERVICE.prepare(plain, old)
    assert _causes(plain, old) == {}


@pytest.mark.parametrize(
    ("spec", "status", "cells"),
    [
        ({"clusterIP": "10.43.0.9"}, {}, ("ClusterIP", "10.43.0.9", "<none>", "80/TCP")),
        ({"clusterIP": "None", "ports": []}, {}, ("ClusterIP", "None", "<none>", "<none>")),
        (
            {
                "type": "NodePort",
                "ports": [{"port": 80, "nodePort": 30080}, {"port": 53, "protocol": "UDP"}],
            },
            {},
            ("NodePort", "<none>", "<none>", "80:30080/TCP,53/UDP"),
        ),
        ({"type": "LoadBalancer"}, {}, ("LoadBalancer", "<none>", "<pending>", "80/TCP")),
        (
            {"type": "LoadBalancer"},
            {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}},
            ("LoadBalancer", "<none>", "1.2.3.4", "80/TCP"),
        ),
        (
            {"type": "ExternalName", "externalName": "a.b", "ports": []},
            {},
            ("ExternalName", "<none>", "a.b", "<none>"),
        ),
    ],
)
def test_columns(spec: dict[str, Any], status: dict[str, Any], cells: tuple[str, ...]) -> None:
    service = {**_service(**spec), "status": status}
    found = {column.name: column.cell(service, NOW) for column in SERVICE.columns}
    assert (found["Type"], found["Cluster-IP"], found["External-IP"], found["Port(s)"]) == cells
