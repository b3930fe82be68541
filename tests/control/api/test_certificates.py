"""Requests for certificates through the API: every operation, and who may do which."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sampan.foundation.wire.message import Identity

GROUP = "/apis/certificates.k8s.io/v1"
PATH = f"{GROUP}/certificatesigningrequests"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
MERGE = {"content-type": "application/merge-patch+json"}


def pem(name="jane"):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    signed = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return base64.b64encode(signed.public_bytes(serialization.Encoding.PEM)).decode()


def request(name, signer="example.com/own", **spec):
    usages = ["digital signature", "client auth"]
    filled = {"request": pem(), "signerName": signer, "usages": usages} | spec
    return {"metadata": {"name": name, "labels": {"of": "test"}}, "spec": filled}


def condition(kind):
    return {"type": kind, "status": "True", "reason": "Told", "message": "told so"}


def status(*kinds, **more):
    return {"status": {"conditions": [condition(kind) for kind in kinds]} | more}


def user(name):
    return Identity(name, ("system:authenticated",), extra={"example.com/a": ("b",)}, uid="u-1")


async def allow(api, name, *rules):
    await api.create(f"{RBAC}/clusterroles", {"metadata": {"name": name}, "rules": list(rules)})
    binding = {
        "metadata": {"name": name},
        "roleRef": {"kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "User", "name": name}],
    }
    await api.create(f"{RBAC}/clusterrolebindings", binding)


def rule(resource, *verbs, names=()):
    found = {"apiGroups": ["certificates.k8s.io"], "resources": [resource], "verbs": list(verbs)}
    return found | ({"resourceNames": list(names)} if names else {})


def test_every_operation_on_a_request(play):
    async def story(api):
        for name in ("a", "b", "c"):
            await api.create(PATH, request(name))
        listed = await api.send("GET", PATH, labelSelector="of=test")
        assert [it["metadata"]["name"] for it in listed["items"]] == ["a", "b", "c"]
        labelled = {"metadata": {"annotations": {"x": "y"}}}
        assert (await api.send("PATCH", f"{PATH}/a", labelled, headers=MERGE)).code == 200
        got = await api.send("GET", f"{PATH}/a/approval")
        assert got["metadata"]["annotations"] == {"x": "y"}
        approved = await api.send("PATCH", f"{PATH}/a/approval", status("Approved"), headers=MERGE)
        assert approved.code == 200
        denied = (await api.send("GET", f"{PATH}/b")).json
        denied["status"] = status("Denied")["status"]
        assert (await api.send("PUT", f"{PATH}/b/approval", denied)).code == 200
        got = (await api.send("GET", f"{PATH}/a/status")).json
        got["status"]["certificate"] = base64.b64encode(CERTIFICATE).decode()
        assert (await api.send("PUT", f"{PATH}/a/status", got)).code == 200
        shown = await api.send("GET", f"{PATH}/a")
        assert shown["status"]["certificate"]
        assert (await api.send("DELETE", f"{PATH}/a")).code == 200
        assert (await api.send("DELETE", PATH, labelSelector="of=test")).code == 200
        assert (await api.send("GET", PATH))["items"] == []

    play(story)


def test_conditions_get_the_times_that_are_left_out(play):
    async def story(api):
        await api.create(PATH, request("a"))
        early, late = "2026-11-23T12:00:00Z", "2026-11-23T12:01:00Z"

        async def times(subresource, body):
            answer = await api.send("PATCH", f"{PATH}/a/{subresource}", body, headers=MERGE)
            assert answer.code == 200, answer.json
            conditions = answer["status"]["conditions"]
            return [(it["lastUpdateTime"], it["lastTransitionTime"]) for it in conditions]

        assert await times("approval", status("Approved")) == [(early, early)]
        api.now += timedelta(minutes=1)
        assert await times("approval", status("Approved")) == [(late, early)]
        given = condition("Approved") | {"lastUpdateTime": late, "lastTransitionTime": early}
        failed = {"status": {"conditions": [given, condition("Failed")]}}
        assert await times("status", failed) == [(late, early), (late, late)]
        managed = (await api.send("GET", f"{PATH}/a"))["metadata"]["managedFields"]
        approval = next(it for it in managed if it.get("subresource") == "approval")
        assert list(approval["fieldsV1"]) == ["f:status"]

    play(story)


def test_a_request_says_who_made_it(play):
    async def story(api):
        await allow(api, "jane", rule("certificatesigningrequests", "create"))
        body = request("r", username="root", groups=["system:masters"], extra={"a": ["b"]})
        answer = await api.send("POST", PATH, body, as_user=user("jane"))
        spec = answer["spec"]
        assert (spec["username"], spec["uid"]) == ("jane", "u-1")
        assert spec["groups"] == ["system:authenticated"]
        assert spec["extra"] == {"example.com/a": ["b"]}
        change = {"spec": {"username": "root"}}
        answer = await api.send("PATCH", f"{PATH}/r", change, headers=MERGE)
        assert answer["spec"]["username"] == "jane"

    play(story)


@pytest.mark.parametrize(
    ("names", "code"),
    [(("example.com/own",), 200), (("example.com/*",), 200), (("other.com/*",), 403), ((), 200)],
)
def test_approval_needs_the_verb_on_the_signer(play, names, code):
    async def story(api):
        await api.create(PATH, request("r"))
        rules = (
            rule("certificatesigningrequests/approval", "patch"),
            rule("signers", "approve", names=names),
        )
        await allow(api, "boss", *rules)
        answer = await api.send(
            "PATCH", f"{PATH}/r/approval", status("Approved"), headers=MERGE, as_user=user("boss")
        )
        assert answer.code == code, answer.json
        if code == 403:
            assert answer["message"].endswith(
                'user not permitted to approve requests with signerName "example.com/own"'
            )

    play(story)


@pytest.mark.parametrize(("verb", "code"), [("sign", 200), ("approve", 403)])
def test_signing_needs_the_verb_on_the_signer(play, verb, code):
    async def story(api):
        await api.create(PATH, request("r"))
        await api.send("PATCH", f"{PATH}/r/approval", status("Approved"), headers=MERGE)
        rules = (
            rule("certificatesigningrequests/status", "patch"),
            rule("signers", verb),
        )
        await allow(api, "signer", *rules)
        for change in (
            {"status": {"certificate": base64.b64encode(CERTIFICATE).decode()}},
            status("Approved", "Failed"),
        ):
            answer = await api.send(
                "PATCH", f"{PATH}/r/status", change, headers=MERGE, as_user=user("signer")
            )
            assert answer.code == code, answer.json

    play(story)


def test_nobody_approves_through_the_status(play):
    async def story(api):
        await api.create(PATH, request("r"))
        answer = await api.send("PATCH", f"{PATH}/r/status", status("Approved"), headers=MERGE)
        assert answer.code == 422

    play(story)


def _certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jane")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


CERTIFICATE = _certificate()
