"""What the controllers of identity do, on a whole cluster in virtual time."""

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.scenarios.story import tell, until

from sampan.foundation.wire.message import Identity
from sampan.kubernetes.client.contract import Client, Forbidden
from sampan.kubernetes.kinds.resource import (
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CLUSTER_TRUST_BUNDLES,
    SECRETS,
    SERVICE_ACCOUNTS,
    TOKEN_REVIEWS,
)
from sampan.simulation.cluster import SimulatedCluster


async def rules_of(cluster: SimulatedCluster, name: str) -> list[Any]:
    role = json.loads(await cluster.admin.get(CLUSTER_ROLES, name))
    return role.get("rules") or []


def test_the_roles_of_users_gather_what_operators_add() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await until(cluster, lambda: rules_of(cluster, "admin"))
        role = {
            "metadata": {
                "name": "widgets",
                "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"},
            },
            "rules": [{"verbs": ["get"], "apiGroups": ["example.com"], "resources": ["widgets"]}],
        }
        await cluster.admin.create(CLUSTER_ROLES, role)
        for name in ("view", "edit", "admin"):

            async def has_widgets(name: str = name) -> bool:
                return role["rules"][0] in await rules_of(cluster, name)

            await until(cluster, has_widgets)

    tell(story)


def request_for(user: str, *organizations: str) -> str:
    """A certificate request in PEM and base64."""
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organizations]
    subject = x509.Name([*names, x509.NameAttribute(NameOID.COMMON_NAME, user)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    signed = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return base64.b64encode(signed.public_bytes(serialization.Encoding.PEM)).decode()


def signing_request(name: str, request: str, signer: str = "kube-apiserver-client") -> Any:
    return {
        "metadata": {"name": name},
        "spec": {
            "request": request,
            "signerName": f"kubernetes.io/{signer}",
            "usages": ["digital signature", "client auth"],
            "expirationSeconds": 3600,
            "username": "somebody-else",
        },
    }


async def user_of(cluster: SimulatedCluster, token: str) -> str | None:
    """Whom a token stands for, None when it isn't taken."""
    review = json.loads(await cluster.admin.create(TOKEN_REVIEWS, {"spec": {"token": token}}))
    return review["status"].get("user", {}).get("username")


async def approve(client: Client, name: str) -> None:
    condition = {"type": "Approved", "status": "True", "reason": "Fine", "message": "so be it"}
    body = {"status": {"conditions": [condition]}}
    await client.patch(CERTIFICATE_SIGNING_REQUESTS, name, body, subresource="approval")


def test_an_approved_request_is_signed_as_it_was_asked() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        admin = cluster.admin
        made = await admin.create(
            CERTIFICATE_SIGNING_REQUESTS, signing_request("jane", request_for("jane", "devs"))
        )
        assert json.loads(made)["spec"]["username"] == "admin"
        await cluster.step(1.0)
        assert (
            "certificate"
            not in (await cluster.find(CERTIFICATE_SIGNING_REQUESTS, "jane", ""))["status"]
        )
        await approve(admin, "jane")

        async def certificate() -> str:
            found = await cluster.find(CERTIFICATE_SIGNING_REQUESTS, "jane", "")
            return str(found["status"].get("certificate", ""))

        signed = x509.load_pem_x509_certificate(base64.b64decode(await until(cluster, certificate)))
        assert signed.subject.rfc4514_string() == "CN=jane,O=devs"
        life = signed.not_valid_after_utc - cluster.loop.now()
        assert 3500 < life.total_seconds() <= 3600
        usages = signed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert [usage.dotted_string for usage in usages] == ["1.3.6.1.5.5.7.3.2"]
        await cluster.watch_for(3700)
        assert await cluster.find(CERTIFICATE_SIGNING_REQUESTS, "jane", "") is None

    tell(story)


def test_nobody_asks_to_be_an_administrator() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        body = signing_request("root", request_for("root", "system:masters"))
        with pytest.raises(Forbidden, match="system:masters group is not allowed"):
            await cluster.admin.create(CERTIFICATE_SIGNING_REQUESTS, body)

    tell(story)


def test_what_does_not_fit_its_signer_fails() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        body = signing_request("odd", request_for("jane"), "kube-apiserver-client-kubelet")
        await cluster.admin.create(CERTIFICATE_SIGNING_REQUESTS, body)
        await approve(cluster.admin, "odd")

        async def failure() -> Any:
            found = await cluster.find(CERTIFICATE_SIGNING_REQUESTS, "odd", "")
            return [it for it in found["status"]["conditions"] if it["type"] == "Failed"]

        (failed,) = await until(cluster, failure)
        assert failed["message"] == "subject organization is not system:nodes"

    tell(story)


def test_nodes_that_may_join_are_approved_and_others_wait() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        group = "system:bootstrappers:one"
        resources = ["certificatesigningrequests", "certificatesigningrequests/nodeclient"]
        rule = {"verbs": ["create"], "apiGroups": ["certificates.k8s.io"], "resources": resources}
        await cluster.admin.create(CLUSTER_ROLES, {"metadata": {"name": "join"}, "rules": [rule]})
        binding = {
            "metadata": {"name": "join"},
            "roleRef": {"kind": "ClusterRole", "name": "join"},
            "subjects": [{"kind": "Group", "name": group}],
        }
        await cluster.admin.create(CLUSTER_ROLE_BINDINGS, binding)
        joining = Identity("system:bootstrap:abcdef", (group, "system:authenticated"))
        resources.pop()
        await cluster.admin.create(CLUSTER_ROLES, {"metadata": {"name": "ask"}, "rules": [rule]})
        binding = {
            "metadata": {"name": "ask"},
            "roleRef": {"kind": "ClusterRole", "name": "ask"},
            "subjects": [{"kind": "User", "name": "stranger"}],
        }
        await cluster.admin.create(CLUSTER_ROLE_BINDINGS, binding)
        other = Identity("stranger", ("system:authenticated",))
        for name, identity in (("joins", joining), ("other", other)):
            body = signing_request(
                name,
                request_for("system:node:node-9", "system:nodes"),
                "kube-apiserver-client-kubelet",
            )
            client = cluster.client_of(identity)
            await client.create(CERTIFICATE_SIGNING_REQUESTS, body)

        async def certificate() -> Any:
            found = await cluster.find(CERTIFICATE_SIGNING_REQUESTS, "joins", "")
            return found["status"].get("certificate")

        assert await until(cluster, certificate)
        waiting = await cluster.find(CERTIFICATE_SIGNING_REQUESTS, "other", "")
        assert waiting["status"] == {}

    tell(story)


def test_a_secret_of_an_account_gets_its_token_and_goes_with_the_account() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        admin = cluster.admin
        await admin.create(SERVICE_ACCOUNTS, {"metadata": {"name": "robot"}}, "default")
        named = {"kubernetes.io/service-account.name": "robot"}
        secret = {
            "metadata": {"name": "robots-token", "annotations": named},
            "type": "kubernetes.io/service-account-token",
        }
        await admin.create(SECRETS, secret, "default")

        async def data() -> Any:
            return (await cluster.find(SECRETS, "robots-token")).get("data")

        filled = await until(cluster, data)
        plain = {key: base64.b64decode(value).decode() for key, value in filled.items()}
        assert plain["namespace"] == "default"
        assert "BEGIN CERTIFICATE" in plain["ca.crt"]
        claims = jwt.decode(plain["token"], options={"verify_signature": False})
        assert claims["sub"] == "system:serviceaccount:default:robot"
        assert await user_of(cluster, plain["token"]) == "system:serviceaccount:default:robot"
        await admin.delete(SERVICE_ACCOUNTS, "robot", "default")

        async def is_gone() -> bool:
            return await cluster.find(SECRETS, "robots-token") is None

        await until(cluster, is_gone)
        assert await user_of(cluster, plain["token"]) is None

    tell(story)


def test_the_authority_of_the_api_server_is_published_as_a_bundle() -> None:
    async def bundles(cluster: SimulatedCluster) -> Any:
        return await cluster.read(CLUSTER_TRUST_BUNDLES, dict)

    async def story(cluster: SimulatedCluster) -> None:
        (bundle,) = await until(cluster, lambda: bundles(cluster))
        assert bundle["spec"]["signerName"] == "kubernetes.io/kube-apiserver-serving"
        name, held = bundle["metadata"]["name"], bundle["spec"]["trustBundle"]
        assert held.startswith("-----BEGIN CERTIFICATE-----")
        await cluster.admin.delete(CLUSTER_TRUST_BUNDLES, name)
        (again,) = await until(cluster, lambda: bundles(cluster))
        assert again["spec"]["trustBundle"] == held

    tell(story)
