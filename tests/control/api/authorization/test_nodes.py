"""A node reaches what its pods use, and writes what is its own."""

import base64
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sampan.foundation.pki.authority import Authority
from sampan.foundation.wire.message import Identity

CORE = "/api/v1/namespaces/default"
PODS = f"{CORE}/pods"
STORAGE = "/apis/storage.k8s.io/v1"
MERGE = {"content-type": "application/merge-patch+json"}


def node(name):
    return Identity(f"system:node:{name}", ("system:nodes", "system:authenticated"))


async def code(api, method, path, name, body=None, **parameters):
    headers = MERGE if method == "PATCH" else None
    answer = await api.send(method, path, body, as_user=node(name), headers=headers, **parameters)
    return answer.code


async def bound_pod(api, pod, account, **spec):
    """A pod on n1."""
    await api.create(f"{CORE}/serviceaccounts", account)
    for name in ("n1", "n2"):
        await api.create("/api/v1/nodes", {"metadata": {"name": name}})
    body = pod()
    body["spec"] |= {"nodeName": "n1"} | spec
    return await api.create(PODS, body)


CLAIM = {
    "metadata": {"name": "data"},
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "volumeName": "disk",
    },
}
VOLUME = {
    "metadata": {"name": "disk"},
    "spec": {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "claimRef": {"namespace": "default", "name": "data"},
        "csi": {
            "driver": "disks.example.com",
            "volumeHandle": "d-1",
            "nodePublishSecretRef": {"namespace": "kube-system", "name": "disk-key"},
        },
    },
}


def test_a_node_reaches_the_volumes_of_its_pods_and_their_keys(play, pod, account):
    async def story(api):
        await api.create(f"{CORE}/persistentvolumeclaims", CLAIM)
        await api.create("/api/v1/persistentvolumes", VOLUME)
        key = {"metadata": {"name": "disk-key"}}
        await api.create("/api/v1/namespaces/kube-system/secrets", key)
        await api.create(f"{CORE}/secrets", key)
        volume = {"name": "d", "persistentVolumeClaim": {"claimName": "data"}}
        await bound_pod(api, pod, account, volumes=[volume])
        for path in (
            f"{CORE}/persistentvolumeclaims/data",
            "/api/v1/persistentvolumes/disk",
            "/api/v1/namespaces/kube-system/secrets/disk-key",
            f"{CORE}/serviceaccounts/default",
        ):
            assert await code(api, "GET", path, "n1") == 200, path
            assert await code(api, "GET", path, "n2") == 403, path
        assert await code(api, "GET", f"{CORE}/secrets/disk-key", "n1") == 403
        assert await code(api, "GET", f"{CORE}/persistentvolumeclaims", "n1") == 403
        path = f"{CORE}/persistentvolumeclaims/data/status"
        grown = {"status": {"capacity": {"storage": "2Gi"}}}
        assert await code(api, "PATCH", path, "n1", grown) == 200
        assert await code(api, "PATCH", path, "n2", grown) == 403
        assert await code(api, "PATCH", path, "n1", {"status": {"phase": "Lost"}}) == 403

    play(story)


def test_the_claim_of_an_ephemeral_volume_is_the_pods(play, pod, account):
    async def story(api):
        template = {"spec": {key: CLAIM["spec"][key] for key in ("accessModes", "resources")}}
        volume = {"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}}
        await bound_pod(api, pod, account, volumes=[volume])
        claim = CLAIM | {"metadata": {"name": "web-scratch"}}
        await api.create(f"{CORE}/persistentvolumeclaims", claim)
        path = f"{CORE}/persistentvolumeclaims/web-scratch"
        assert await code(api, "GET", path, "n1") == 200
        assert await code(api, "GET", path, "n2") == 403

    play(story)


def mirror(uid, **changes):
    owner = {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": uid, "controller": True}
    metadata = {
        "name": "static-n1",
        "annotations": {"kubernetes.io/config.mirror": "x"},
        "ownerReferences": [owner | changes.pop("owner", {})],
    }
    spec = {"nodeName": "n1", "containers": [{"name": "main", "image": "a:1"}]}
    return {"metadata": metadata | changes.pop("metadata", {}), "spec": spec | changes}


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, 201),
        ({"nodeName": "n2"}, 403),
        ({"metadata": {"annotations": {}}}, 403),
        ({"metadata": {"ownerReferences": []}}, 403),
        ({"owner": {"uid": "other"}}, 403),
        ({"owner": {"name": "n2"}}, 403),
        ({"serviceAccountName": "default"}, 403),
        ({"volumes": [{"name": "s", "secret": {"secretName": "s"}}]}, 403),
        ({"volumes": [{"name": "s", "configMap": {"name": "s"}}]}, 403),
    ],
)
def test_a_node_shows_its_own_pods_that_reach_nothing(play, account, changes, wanted):
    async def story(api):
        await api.create(f"{CORE}/serviceaccounts", account)
        made = await api.create("/api/v1/nodes", {"metadata": {"name": "n1"}})
        body = mirror(made["metadata"]["uid"], **changes)
        answer = await api.send("POST", PODS, body, as_user=node("n1"))
        assert answer.code == wanted, answer.json
        if wanted == 201:
            assert "serviceAccountName" not in answer["spec"]
            assert await code(api, "DELETE", f"{PODS}/static-n1", "n2") == 403

    play(story)


def test_a_node_leaves_other_nodes_alone(play, pod, account):
    async def story(api):
        made = await bound_pod(api, pod, account)
        owner = {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "x"}
        for path, change in (
            ("/api/v1/nodes/n2", {"metadata": {"labels": {"a": "b"}}}),
            ("/api/v1/nodes/n1", {"metadata": {"ownerReferences": [owner]}}),
            (f"{PODS}/web/status", {"metadata": {"labels": {"a": "b"}}}),
        ):
            assert await code(api, "PATCH", path, "n1", change) == 403, path
        assert await code(api, "PATCH", f"{PODS}/web", "n1", {"metadata": {}}) == 403
        assert await code(api, "DELETE", "/api/v1/nodes/n1", "n1") == 403
        assert made["spec"]["nodeName"] == "n1"

    play(story)


def test_a_node_writes_the_records_of_its_own_drivers(play):
    async def story(api):
        for name in ("n1", "n2"):
            await api.create("/api/v1/nodes", {"metadata": {"name": name}})
        for name, wanted in (("n1", 201), ("n2", 403)):
            record = {"metadata": {"name": name}, "spec": {"drivers": []}}
            assert await code(api, "POST", f"{STORAGE}/csinodes", "n1", record) == wanted
        assert await code(api, "GET", f"{STORAGE}/csinodes/n1", "n1") == 200
        assert await code(api, "GET", f"{STORAGE}/csinodes/n1", "n2") == 403
        assert await code(api, "GET", f"{STORAGE}/csidrivers", "n2") == 200
        slices = "/apis/resource.k8s.io/v1/resourceslices"
        assert await code(api, "GET", slices, "n1") == 403
        assert await code(api, "GET", slices, "n1", fieldSelector="spec.nodeName=n1") == 200
        assert await code(api, "GET", slices, "n1", fieldSelector="spec.nodeName=n2") == 403
        for name, wanted in (("n1", 201), ("n2", 403)):
            pool = {"name": "gpus", "generation": 1, "resourceSliceCount": 1}
            spec = {"driver": "gpu.example.com", "nodeName": name, "pool": pool, "devices": []}
            body = {"metadata": {"name": f"gpu-{name}"}, "spec": spec}
            assert await code(api, "POST", slices, "n1", body) == wanted

    play(story)


def certificate_request(user):
    names = (
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:nodes"),
        x509.NameAttribute(NameOID.COMMON_NAME, user),
    )
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
    signed = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return base64.b64encode(signed.public_bytes(serialization.Encoding.PEM)).decode()


@pytest.mark.parametrize(("name", "wanted"), [("n1", 201), ("n2", 403)])
def test_a_node_asks_for_certificates_in_its_own_name(play, name, wanted):
    async def story(api):
        body = {
            "metadata": {"name": "r"},
            "spec": {
                "request": certificate_request(f"system:node:{name}"),
                "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
                "usages": ["digital signature", "client auth"],
            },
        }
        path = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
        assert await code(api, "POST", path, "n1", body) == wanted

    play(story)


def test_a_node_evicts_its_own_pods_alone(play, pod, account):
    async def story(api):
        await bound_pod(api, pod, account)
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "web"}}
        running = {"status": {"phase": "Running"}}
        assert await code(api, "PATCH", f"{PODS}/web/status", "n1", running) == 200
        before = (await api.send("GET", f"{PODS}/web")).json
        assert await code(api, "POST", f"{PODS}/web/eviction", "n2", body) == 403
        # Nothing of it may be seen: neither a pod nor a budget is written before the verdict.
        assert (await api.send("GET", f"{PODS}/web")).json == before
        assert await code(api, "POST", f"{PODS}/web/eviction", "n1", body) == 201

    play(story)


def test_an_access_review_tells_of_the_selector(play, pod, account):
    async def story(api):
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"

        async def allowed(**attributes):
            question = {"verb": "list", "resource": "pods"} | attributes
            spec = {"resourceAttributes": question, "user": "system:node:n1"}
            spec["groups"] = ["system:nodes"]
            return (await api.create(path, {"spec": spec}))["status"]["allowed"]

        requirement = {"key": "spec.nodeName", "operator": "In", "values": ["n1"]}
        assert not await allowed()
        assert await allowed(fieldSelector={"rawSelector": "spec.nodeName=n1"})
        assert await allowed(fieldSelector={"requirements": [requirement]})
        assert not await allowed(
            fieldSelector={"requirements": [requirement | {"operator": "NotIn"}]}
        )

    play(story)


@pytest.mark.parametrize(
    ("asker", "changes", "wanted"),
    [
        ("n1", {}, 201),
        ("n2", {}, 403),
        ("n2", {"nodeName": "n2"}, 403),
        ("n1", {"podUID": "other"}, 403),
        ("n1", {"podName": "absent"}, 403),
        ("n1", {"serviceAccountName": "other"}, 403),
        ("n1", {"serviceAccountUID": "other"}, 403),
        ("n1", {"nodeUID": "other"}, 403),
    ],
)
def test_a_node_asks_for_the_certificates_of_its_own_pods(
    play, pod, account, *, asker, changes, wanted
):
    async def story(api):
        made = await bound_pod(api, pod, account)
        owner = await api.send("GET", f"{CORE}/serviceaccounts/default")
        first = await api.send("GET", "/api/v1/nodes/n1")
        names = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        key = ec.generate_private_key(ec.SECP256R1())
        stub = names.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
        spec = {
            "signerName": "example.com/pods",
            "podName": "web",
            "podUID": made["metadata"]["uid"],
            "serviceAccountName": "default",
            "serviceAccountUID": owner["metadata"]["uid"],
            "nodeName": "n1",
            "nodeUID": first["metadata"]["uid"],
            "stubPKCS10Request": base64.b64encode(stub).decode(),
        }
        path = "/apis/certificates.k8s.io/v1/namespaces/default/podcertificaterequests"
        body = {"metadata": {"name": "r"}, "spec": spec | changes}
        answer = await api.send("POST", path, body, as_user=node(asker))
        assert answer.code == wanted, answer.json
        if wanted == 201:
            assert await code(api, "GET", f"{path}/r", "n1") == 200
            assert await code(api, "GET", f"{path}/r", "n2") == 403

    play(story)


def test_who_publishes_the_roots_of_a_signer_may_speak_for_it(play):
    async def story(api):
        rbac = "/apis/rbac.authorization.k8s.io/v1"
        groups = {"apiGroups": ["certificates.k8s.io"]}
        write = groups | {"verbs": ["create"], "resources": ["clustertrustbundles"]}
        attest = groups | {"verbs": ["attest"], "resources": ["signers"]}
        attest["resourceNames"] = ["example.com/*"]
        rules = [write, attest]
        await api.create(f"{rbac}/clusterroles", {"metadata": {"name": "p"}, "rules": rules})
        binding = {
            "metadata": {"name": "p"},
            "roleRef": {"kind": "ClusterRole", "name": "p"},
            "subjects": [{"kind": "User", "name": "publisher"}],
        }
        await api.create(f"{rbac}/clusterrolebindings", binding)
        publisher = Identity("publisher", ("system:authenticated",))
        for signer, wanted in (("example.com", 201), ("other.com", 403)):
            spec = {"signerName": f"{signer}/a", "trustBundle": ROOT}
            body = {"metadata": {"name": f"{signer}:a:roots"}, "spec": spec}
            path = "/apis/certificates.k8s.io/v1/clustertrustbundles"
            answer = await api.send("POST", path, body, as_user=publisher)
            assert answer.code == wanted, answer.json

    play(story)


ROOT = Authority.create("root", datetime(2026, 1, 1, tzinfo=UTC)).certificate.decode()
