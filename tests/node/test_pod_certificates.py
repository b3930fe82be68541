"""Pods whose volumes hold certificates of their own: asked for, waited for, renewed."""

import asyncio
import base64
from datetime import timedelta

from cryptography import x509

from sampan.testing.virtual_clock import EPOCH

SIGNER = "example.com/signer"
HOUR = 3600


def volume(**source):
    whole = {
        "signerName": SIGNER,
        "keyType": "ED25519",
        "maxExpirationSeconds": 86400,
        "credentialBundlePath": "bundle.pem",
        **source,
    }
    return {"name": "own", "projected": {"sources": [{"podCertificate": whole}]}}


def requests(node):
    found = node.api.objects.items()
    return [body for (plural, _), body in found if plural == "podcertificaterequests"]


def answer(node, kind, request=None, hours=24, chain="CHAIN"):
    """The signer answers the newest request."""
    body = request or requests(node)[-1]
    status = {"conditions": [{"type": kind, "status": "True", "reason": "Why", "message": "So"}]}
    if kind == "Issued":
        now = EPOCH + timedelta(seconds=asyncio.get_running_loop().time())
        status |= {
            "certificateChain": chain,
            "beginRefreshAt": (now + timedelta(hours=hours / 2)).isoformat(),
            "notAfter": (now + timedelta(hours=hours)).isoformat(),
        }
    node.api.put("podcertificaterequests", body["metadata"]["name"], {**body, "status": status})


def folder(node):
    return node.folder / "run/pods/u-web/volumes/own"


async def moment(seconds=0.01):
    await asyncio.sleep(seconds)


def test_a_pod_waits_until_its_certificate_is_issued(on_node):
    async def story(node):
        node.create(volumes=[volume()])
        await moment(30)
        assert node.status()["phase"] == "Pending"
        answer(node, "Issued")
        await moment()
        assert node.status()["phase"] == "Running"
        bundle = (folder(node) / "bundle.pem").read_text()
        assert bundle.startswith("-----BEGIN PRIVATE KEY-----")
        assert bundle.endswith("CHAIN")
        assert len(requests(node)) == 1

    on_node(story)


def test_what_is_asked_for(on_node):
    async def story(node):
        annotations = {"example.com/path": "/ns/shop/web"}
        source = volume(maxExpirationSeconds=HOUR, userAnnotations=annotations)
        node.create(serviceAccountName="robot", volumes=[source])
        await moment()
        (request,) = requests(node)
        spec = dict(request["spec"])
        stub = x509.load_der_x509_csr(base64.b64decode(spec.pop("stubPKCS10Request")))
        assert stub.is_signature_valid
        assert spec == {
            "signerName": SIGNER,
            "podName": "web",
            "podUID": "u-web",
            "serviceAccountName": "robot",
            "serviceAccountUID": "uid-of-robot",
            "nodeName": "node-1",
            "nodeUID": "uid-of-node-1",
            "maxExpirationSeconds": HOUR,
            "unverifiedUserAnnotations": annotations,
        }
        (owner,) = request["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"]) == ("Pod", "u-web")

    on_node(story)


def test_key_and_chain_in_files_of_their_own(on_node):
    async def story(node):
        source = volume(
            credentialBundlePath="", keyPath="key.pem", certificateChainPath="chain.pem"
        )
        node.create(volumes=[source])
        await moment()
        answer(node, "Issued")
        await moment()
        assert sorted(path.name for path in folder(node).glob("[!.]*")) == ["chain.pem", "key.pem"]
        assert (folder(node) / "chain.pem").read_text() == "CHAIN"

    on_node(story)


def test_a_certificate_is_renewed_with_a_new_key_when_its_signer_says(on_node):
    async def story(node):
        node.create(volumes=[volume()])
        await moment()
        answer(node, "Issued", hours=24)
        await moment()
        before = (folder(node) / "bundle.pem").read_text()
        await moment(11 * HOUR)
        assert len(requests(node)) == 1
        await moment(2 * HOUR)
        assert len(requests(node)) == 2
        assert (folder(node) / "bundle.pem").read_text() == before
        answer(node, "Issued", chain="RENEWED")
        await moment()
        after = (folder(node) / "bundle.pem").read_text()
        assert after.endswith("RENEWED")
        assert after.removesuffix("RENEWED") != before.removesuffix("CHAIN")

    on_node(story)


def test_a_denied_pod_does_not_start_and_says_why(on_node):
    async def story(node):
        node.create(volumes=[volume()])
        await moment()
        answer(node, "Denied")
        await moment(60)
        assert node.status()["phase"] == "Pending"
        told = 'PodCertificateRequest was permanently denied: reason="Why", message="So"'
        assert ("FailedMount", told) in node.events
        assert len(requests(node)) == 1

    on_node(story)


def test_a_request_that_was_swept_away_is_made_again(on_node):
    async def story(node):
        node.create(volumes=[volume()])
        await moment(10)
        (swept,) = requests(node)
        node.api.take("podcertificaterequests", swept["metadata"]["name"])
        await moment(10)
        answer(node, "Issued")
        await moment()
        assert node.status()["phase"] == "Running"

    on_node(story)


def test_a_pod_that_waits_for_its_certificate_can_be_deleted(on_node):
    async def story(node):
        node.create(volumes=[volume()])
        await moment()
        node.delete()
        await moment(1)
        assert ("pods", "web") not in node.api.objects

    on_node(story)


def test_a_new_agent_asks_for_a_certificate_of_its_own(on_node):
    async def story(node):
        node.create(volumes=[volume()])
        await moment()
        answer(node, "Issued")
        await moment()
        await node.crash()
        await moment(1)
        assert (folder(node) / "bundle.pem").read_text().endswith("CHAIN")
        answer(node, "Issued", chain="ANOTHER")
        await moment(2)
        assert (folder(node) / "bundle.pem").read_text().endswith("ANOTHER")
        assert node.engine.running() == ["container-1"]

    on_node(story)
