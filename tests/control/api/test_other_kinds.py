"""One valid object of each kind outside the core goes through its whole life over the API."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from sampan.kubernetes.kinds import resource as resources
from sampan.kubernetes.kinds.all import BY_RESOURCE
from sampan.kubernetes.kinds.resource import Resource

TABLE = {"accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}
MERGE = {"content-type": "application/merge-patch+json"}
KEY = ec.generate_private_key(ec.SECP256R1())
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def request(encoding: Encoding) -> str:
    """A signed request for a certificate, in base64."""
    made = x509.CertificateSigningRequestBuilder().subject_name(NAME).sign(KEY, hashes.SHA256())
    return base64.b64encode(made.public_bytes(encoding)).decode()


def certificate(*, authority: bool = True) -> str:
    builder = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(KEY.public_key())
        .serial_number(7)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


RULE = {
    "apiGroups": ["apps"],
    "apiVersions": ["v1"],
    "operations": ["CREATE"],
    "resources": ["deployments"],
}
WEBHOOK = {
    "name": "a.example.com",
    "admissionReviewVersions": ["v1"],
    "sideEffects": "None",
    "clientConfig": {"service": {"namespace": "default", "name": "hook"}},
    "rules": [RULE],
    "matchConditions": [{"name": "always", "expression": "true"}],
}
BACKEND = {"service": {"name": "web", "port": {"number": 80}}}

OBJECTS: dict[Resource, dict[str, Any]] = {
    resources.INGRESSES: {
        "spec": {
            "ingressClassName": "nginx",
            "tls": [{"hosts": ["*.example.com"], "secretName": "cert"}],
            "rules": [
                {
                    "host": "*.example.com",
                    "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": BACKEND}]},
                }
            ],
        }
    },
    resources.INGRESS_CLASSES: {
        "spec": {
            "controller": "example.com/ingress",
            "parameters": {"apiGroup": "example.com", "kind": "Settings", "name": "a"},
        }
    },
    resources.NETWORK_POLICIES: {
        "spec": {
            "podSelector": {"matchLabels": {"app": "web"}},
            "ingress": [
                {
                    "from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}],
                    "ports": [{"port": 80, "endPort": 90}],
                }
            ],
            "egress": [{"to": [{"namespaceSelector": {}}]}],
        }
    },
    resources.IP_ADDRESSES: {
        "metadata": {"name": "10.43.9.9"},
        "spec": {"parentRef": {"resource": "services", "namespace": "default", "name": "web"}},
    },
    resources.SERVICE_CIDRS: {"spec": {"cidrs": ["10.99.0.0/16", "2001:db8::/64"]}},
    resources.STORAGE_CLASSES: {
        "provisioner": "example.com/disk",
        "allowedTopologies": [
            {"matchLabelExpressions": [{"key": "topology.kubernetes.io/zone", "values": ["a"]}]}
        ],
    },
    resources.VOLUME_ATTACHMENTS: {
        "spec": {
            "attacher": "disk.example.com",
            "nodeName": "node-1",
            "source": {"persistentVolumeName": "pv-1"},
        }
    },
    resources.CSI_DRIVERS: {
        "metadata": {"name": "disk.example.com"},
        "spec": {"tokenRequests": [{"audience": "a", "expirationSeconds": 3600}]},
    },
    resources.CSI_NODES: {
        "spec": {
            "drivers": [
                {"name": "disk.example.com", "nodeID": "n1", "topologyKeys": ["example.com/zone"]}
            ]
        }
    },
    resources.CSI_STORAGE_CAPACITIES: {"storageClassName": "fast", "capacity": "10Gi"},
    resources.VOLUME_ATTRIBUTES_CLASSES: {
        "driverName": "disk.example.com",
        "parameters": {"iops": "100"},
    },
    resources.STORAGE_VERSION_MIGRATIONS: {
        "spec": {"resource": {"group": "apps", "resource": "deployments"}}
    },
    resources.CERTIFICATE_SIGNING_REQUESTS: {
        "spec": {
            "request": request(Encoding.PEM),
            "signerName": "example.com/signer",
            "usages": ["client auth", "digital signature"],
        }
    },
    resources.CLUSTER_TRUST_BUNDLES: {
        "metadata": {"name": "example.com:signer:roots"},
        "spec": {"signerName": "example.com/signer", "trustBundle": certificate()},
    },
    resources.POD_CERTIFICATE_REQUESTS: {
        "spec": {
            "signerName": "example.com/signer",
            "podName": "web",
            "podUID": "1",
            "serviceAccountName": "default",
            "serviceAccountUID": "2",
            "nodeName": "node-1",
            "nodeUID": "3",
            "stubPKCS10Request": request(Encoding.DER),
        }
    },
    resources.MUTATING_WEBHOOK_CONFIGURATIONS: {
        "webhooks": [{**WEBHOOK, "failurePolicy": "Ignore"}]
    },
    resources.VALIDATING_WEBHOOK_CONFIGURATIONS: {
        "webhooks": [{**WEBHOOK, "failurePolicy": "Ignore"}]
    },
    resources.VALIDATING_ADMISSION_POLICIES: {
        "spec": {
            "matchConstraints": {"resourceRules": [RULE]},
            "variables": [{"name": "replicas", "expression": "object.spec.replicas"}],
            "validations": [{"expression": "variables.replicas < 5", "message": "too many"}],
            "auditAnnotations": [{"key": "replicas", "valueExpression": "'many'"}],
        }
    },
    resources.VALIDATING_ADMISSION_POLICY_BINDINGS: {
        "spec": {
            "policyName": "few-replicas",
            "validationActions": ["Deny"],
            "paramRef": {"name": "limit"},
            "matchResources": {"namespaceSelector": {"matchLabels": {"a": "b"}}},
        }
    },
    resources.MUTATING_ADMISSION_POLICIES: {
        "spec": {
            "matchConstraints": {"resourceRules": [RULE]},
            "mutations": [
                {
                    "patchType": "ApplyConfiguration",
                    "applyConfiguration": {"expression": "Object{}"},
                }
            ],
        }
    },
    resources.MUTATING_ADMISSION_POLICY_BINDINGS: {"spec": {"policyName": "sidecars"}},
    resources.API_SERVICES: {
        "metadata": {"name": "v1.example.com"},
        "spec": {
            "group": "example.com",
            "version": "v1",
            "groupPriorityMinimum": 1000,
            "versionPriority": 15,
            "service": {"namespace": "default", "name": "api"},
        },
    },
    resources.FLOW_SCHEMAS: {
        "spec": {
            "priorityLevelConfiguration": {"name": "workload-low"},
            "distinguisherMethod": {"type": "ByUser"},
            "rules": [
                {
                    "subjects": [{"kind": "User", "user": {"name": "alice"}}],
                    "resourceRules": [
                        {
                            "verbs": ["get"],
                            "apiGroups": [""],
                            "resources": ["pods"],
                            "namespaces": ["default"],
                        }
                    ],
                    "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/metrics/*"]}],
                }
            ],
        }
    },
    resources.PRIORITY_LEVEL_CONFIGURATIONS: {
        "spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Queue", "queuing": {}}}}
    },
    resources.DEVICE_CLASSES: {
        "spec": {"selectors": [{"cel": {"expression": "device.driver == 'gpu.example.com'"}}]}
    },
    resources.DEVICE_TAINT_RULES: {
        "spec": {
            "deviceSelector": {"driver": "gpu.example.com", "pool": "node-1"},
            "taint": {"key": "example.com/broken", "effect": "NoSchedule"},
        }
    },
    resources.RESOURCE_CLAIMS: {
        "spec": {
            "devices": {
                "requests": [
                    {"name": "gpu", "exactly": {"deviceClassName": "gpu"}},
                    {
                        "name": "any",
                        "firstAvailable": [
                            {"name": "big", "deviceClassName": "gpu", "allocationMode": "All"},
                            {"name": "small", "deviceClassName": "gpu"},
                        ],
                    },
                ],
                "constraints": [
                    {"requests": ["gpu", "any/big"], "matchAttribute": "gpu.example.com/numa"}
                ],
                "config": [{"opaque": {"driver": "gpu.example.com", "parameters": {"a": 1}}}],
            }
        }
    },
    resources.RESOURCE_CLAIM_TEMPLATES: {
        "spec": {
            "spec": {
                "devices": {"requests": [{"name": "gpu", "exactly": {"deviceClassName": "gpu"}}]}
            }
        }
    },
    resources.RESOURCE_SLICES: {
        "spec": {
            "driver": "gpu.example.com",
            "nodeName": "node-1",
            "pool": {"name": "node-1", "generation": 1, "resourceSliceCount": 1},
            "devices": [
                {
                    "name": "gpu-0",
                    "attributes": {"model": {"string": "a100"}, "example.com/numa": {"int": 0}},
                    "capacity": {"memory": {"value": "80Gi"}},
                }
            ],
        }
    },
    resources.GROUP_EVENTS: {
        "eventTime": "2026-11-23T12:00:00.000000Z",
        "reportingController": "example.com/controller",
        "reportingInstance": "one",
        "action": "Started",
        "reason": "Started",
        "type": "Normal",
        "note": "it began",
        "regarding": {"kind": "Pod", "namespace": "default", "name": "web"},
    },
    resources.LEASES: {"spec": {"holderIdentity": "me", "leaseDurationSeconds": 15}},
    resources.ENDPOINT_SLICES: {
        "addressType": "IPv6",
        "endpoints": [{"addresses": ["2001:db8::1"]}],
        "ports": [{"port": 80}],
    },
}


def _identifier(resource: Resource) -> str:
    return resource.kind


def valid(resource: Resource) -> dict[str, Any]:
    head = {"apiVersion": resource.group_version, "kind": resource.kind}
    body = OBJECTS[resource]
    return {**head, **body, "metadata": {"name": "few-replicas", **body.get("metadata", {})}}


@pytest.mark.parametrize("resource", OBJECTS, ids=_identifier)
def test_a_life(play: Any, resource: Resource) -> None:
    async def story(api: Any) -> None:
        collection = resource.path("default" if resource.namespaced else "")
        made = await api.create(collection, valid(resource), fieldValidation="Strict")
        path = f"{collection}/{made['metadata']['name']}"
        got = await api.send("GET", path)
        assert got.code == 200
        table = await api.send("GET", path, headers=TABLE)
        assert table["rows"][0]["cells"][0] or resource.kind == "Event"
        assert len(table["columnDefinitions"]) == len(BY_RESOURCE[resource].columns)
        patched = await api.send("PATCH", path, {"metadata": {"labels": {"a": "b"}}}, headers=MERGE)
        assert patched.code == 200, patched.json
        assert patched["metadata"]["labels"] == {"a": "b"}
        same = await api.send("PUT", path, patched.json)
        assert same.code == 200, same.json
        assert same["metadata"]["resourceVersion"] == patched["metadata"]["resourceVersion"]
        assert (await api.send("DELETE", path)).code == 200
        assert (await api.send("GET", path)).code == 404

    play(story)


def test_an_event_is_one_in_both_of_its_groups(play: Any) -> None:
    async def story(api: Any) -> None:
        events = resources.GROUP_EVENTS.path("default")
        await api.create(events, valid(resources.GROUP_EVENTS))
        core = await api.send("GET", "/api/v1/namespaces/default/events/few-replicas")
        assert core["message"] == "it began"
        assert core["involvedObject"]["name"] == "web"
        for name, count in (("web", 1), ("other", 0)):
            for path, field in (
                (events, f"regarding.name={name}"),
                ("/api/v1/namespaces/default/events", f"involvedObject.name={name}"),
            ):
                found = await api.send("GET", path, fieldSelector=field)
                assert len(found["items"]) == count, field
        series = {"series": {"count": 3, "lastObservedTime": "2026-11-23T12:01:00.000000Z"}}
        patched = await api.send("PATCH", f"{events}/few-replicas", series, headers=MERGE)
        assert patched["series"]["count"] == 3
        assert patched["note"] == "it began"
        refused = await api.send("PATCH", f"{events}/few-replicas", {"note": "x"}, headers=MERGE)
        assert refused.code == 422

    play(story)


def test_a_certificate_is_approved_and_issued_through_its_own_doors(play: Any) -> None:
    resource = resources.CERTIFICATE_SIGNING_REQUESTS
    path = resource.path("", "few-replicas")

    async def story(api: Any) -> None:
        made = await api.create(resource.path(), valid(resource))
        approved = {"type": "Approved", "status": "True", "reason": "Fine", "message": "so be it"}
        made["status"] = {"conditions": [approved]}
        assert "conditions" not in (await api.send("PUT", path, made)).json.get("status", {})
        assert (await api.send("PUT", f"{path}/status", made)).code == 422
        answered = await api.send("PUT", f"{path}/approval", made)
        assert answered.code == 200, answered.json
        assert answered["status"]["conditions"][0]["type"] == "Approved"
        issued = answered.json
        issued["status"]["certificate"] = base64.b64encode(certificate().encode()).decode()
        done = await api.send("PUT", f"{path}/status", issued)
        assert done.code == 200, done.json
        assert done["status"]["certificate"] == issued["status"]["certificate"]

    play(story)


@pytest.mark.parametrize(
    ("resource", "status"),
    [
        (resources.INGRESSES, {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}),
        (resources.VOLUME_ATTACHMENTS, {"attached": True}),
        (resources.SERVICE_CIDRS, {}),
        (
            resources.FLOW_SCHEMAS,
            {"conditions": [{"type": "Dangling", "status": "False", "reason": "Found"}]},
        ),
        (
            resources.RESOURCE_CLAIMS,
            {
                "allocation": {
                    "devices": {
                        "results": [{"request": "gpu", "driver": "a.b", "pool": "p", "device": "d"}]
                    }
                },
                "reservedFor": [{"resource": "pods", "name": "web", "uid": "1"}],
            },
        ),
    ],
    ids=lambda value: value.kind if isinstance(value, Resource) else "",
)
def test_a_status_has_a_door_of_its_own(
    play: Any, resource: Resource, status: dict[str, Any]
) -> None:
    async def story(api: Any) -> None:
        collection = resource.path("default" if resource.namespaced else "")
        made = await api.create(collection, valid(resource))
        path = f"{collection}/{made['metadata']['name']}"
        told = {**made, "status": status}
        told["metadata"] = {**made["metadata"], "finalizers": ["example.com/mine"]}
        written = await api.send("PUT", f"{path}/status", told)
        assert written.code == 200, written.json
        assert "finalizers" not in written["metadata"]
        assert written.json.get("status") == status
        kept = await api.send("PUT", path, {**written.json, "status": {}})
        assert kept.json.get("status") == status

    play(story)


@pytest.mark.parametrize(
    ("resource", "doors", "kept"),
    [
        (resources.INGRESSES, ["status"], True),
        (resources.CERTIFICATE_SIGNING_REQUESTS, ["status", "approval"], True),
        (resources.VOLUME_ATTACHMENTS, ["status"], False),
        (resources.FLOW_SCHEMAS, ["status"], False),
    ],
    ids=lambda value: value.kind if isinstance(value, Resource) else "",
)
def test_what_else_a_status_may_bring(
    play: Any, resource: Resource, doors: list[str], kept: bool
) -> None:
    async def story(api: Any) -> None:
        collection = resource.path("default" if resource.namespaced else "")
        made = await api.create(collection, valid(resource))
        for door in doors:
            path = f"{collection}/{made['metadata']['name']}/{door}"
            patch = {"metadata": {"annotations": {door: "told"}}}
            told = await api.send("PATCH", path, patch, headers=MERGE)
            assert told.code == 200, told.json
            assert ("annotations" in told["metadata"]) is kept

    play(story)
