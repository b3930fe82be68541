"""Service accounts and their tokens, and what may be asked about who may do what."""

import base64
import json
from collections.abc import Callable
from typing import Any

from tests.conformance.requests import (
    DEFAULT,
    Object,
    deleted,
    names,
    patched,
    read,
    updated,
    watch,
)
from tests.control.api.conftest import Api

from sampan.foundation.wire.message import Identity
from sampan.kubernetes.kinds.resource import CONFIG_MAPS, NAMESPACES, PODS
from sampan.simulation.cluster import SimulatedCluster
from sampan.testing import virtual_clock

ACCOUNTS = f"{DEFAULT}/serviceaccounts"
PODS_PATH = f"{DEFAULT}/pods"
AUTHORIZATION = "/apis/authorization.k8s.io/v1"
MOUNTED = "/var/run/secrets/kubernetes.io/serviceaccount"
Play = Callable[..., None]


def pod(name: str, account: str, **spec: Any) -> Object:
    containers = [{"name": "main", "image": "hello:1"}]
    return {
        "metadata": {"name": name},
        "spec": {"serviceAccountName": account, "containers": containers, **spec},
    }


def mounts(tree: Any) -> list[str]:
    return [it["mountPath"] for it in tree["spec"]["containers"][0].get("volumeMounts", ())]


def test_a_token_is_mounted_into_pods(play: Play) -> None:
    async def story(api: Api) -> None:
        await api.create(ACCOUNTS, {"metadata": {"name": "mounts"}})
        made = await api.create(PODS_PATH, pod("one", "mounts"))
        assert mounts(made) == [MOUNTED]
        (volume,) = made["spec"]["volumes"]
        token, authority, namespace = volume["projected"]["sources"]
        assert token["serviceAccountToken"]["path"] == "token"
        assert authority["configMap"]["name"] == "kube-root-ca.crt"
        assert namespace["downwardAPI"]["items"][0]["path"] == "namespace"

    play(story)


def test_mounting_a_token_is_opted_out_of(play: Play) -> None:
    async def story(api: Api) -> None:
        await api.create(ACCOUNTS, {"metadata": {"name": "mounts"}})
        never = {"metadata": {"name": "never"}, "automountServiceAccountToken": False}
        await api.create(ACCOUNTS, never)
        for account, choice, expected in (
            ("mounts", None, True),
            ("mounts", True, True),
            ("mounts", False, False),
            ("never", None, False),
            ("never", True, True),
            ("never", False, False),
        ):
            spec = {} if choice is None else {"automountServiceAccountToken": choice}
            made = await api.create(PODS_PATH, pod(f"{account}-{choice}".lower(), account, **spec))
            assert (mounts(made) == [MOUNTED]) == expected, (account, choice)

    play(story)


def test_a_token_is_reviewed_as_its_account(play: Play) -> None:
    async def story(api: Api) -> None:
        await api.create(ACCOUNTS, {"metadata": {"name": "one"}})
        made = await api.create(f"{ACCOUNTS}/one/token", {"spec": {"expirationSeconds": 3600}})
        review = {"spec": {"token": made["status"]["token"]}}
        told = await api.create("/apis/authentication.k8s.io/v1/tokenreviews", review)
        assert told["status"]["authenticated"] is True
        assert "error" not in told["status"]
        assert told["status"]["user"]["username"] == "system:serviceaccount:default:one"

    play(story)


def test_the_issuer_of_tokens_is_discovered(play: Play) -> None:
    async def story(api: Api) -> None:
        await api.create(ACCOUNTS, {"metadata": {"name": "one"}})
        made = await api.create(f"{ACCOUNTS}/one/token", {"spec": {}})
        payload = made["status"]["token"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
        anyone = Identity(
            "system:serviceaccount:default:one", ("system:serviceaccounts", "system:authenticated")
        )
        found = await read(api, "/.well-known/openid-configuration", as_user=anyone)
        assert found["issuer"] == claims["iss"]
        assert found["jwks_uri"].endswith("/openid/v1/jwks")
        keys = await read(api, "/openid/v1/jwks", as_user=anyone)
        assert keys["keys"]

    play(story)


def test_an_account_has_every_operation(play: Play) -> None:
    async def story(api: Api) -> None:
        stream = await watch(api, ACCOUNTS, labelSelector="of=test")
        await api.create(ACCOUNTS, {"metadata": {"name": "one", "labels": {"of": "test"}}})
        await patched(api, f"{ACCOUNTS}/one", {"automountServiceAccountToken": False})
        listed = await read(api, "/api/v1/serviceaccounts", labelSelector="of=test")
        assert names(listed) == ["one"]
        await deleted(api, ACCOUNTS, labelSelector="of=test")
        assert await stream.types(3) == ["ADDED", "MODIFIED", "DELETED"]

    play(story)


def test_an_account_is_updated(play: Play) -> None:
    async def story(api: Api) -> None:
        body = {"metadata": {"name": "one"}, "automountServiceAccountToken": False}
        tree = await api.create(ACCOUNTS, body)
        tree["automountServiceAccountToken"] = True
        shown = await updated(api, f"{ACCOUNTS}/one", tree)
        assert shown["automountServiceAccountToken"] is True

    play(story)


def test_access_is_reviewed_for_others_and_for_oneself(play: Play) -> None:
    async def story(api: Api) -> None:
        await api.create(ACCOUNTS, {"metadata": {"name": "one"}})
        user = "system:serviceaccount:default:one"
        question = {
            "verb": "list",
            "resource": "configmaps",
            "namespace": "default",
            "version": "v1",
        }
        spec = {"user": user, "resourceAttributes": question}
        review = {"spec": spec}
        local = {"metadata": {"namespace": "default"}, "spec": spec}
        localpath = f"{AUTHORIZATION}/namespaces/default/localsubjectaccessreviews"
        for allowed in (False, True):
            told = await api.create(f"{AUTHORIZATION}/subjectaccessreviews", review)
            assert told["status"]["allowed"] is allowed
            assert (await api.create(localpath, local))["status"]["allowed"] is allowed
            himself = Identity(user, ("system:serviceaccounts", "system:authenticated"))
            own = {"spec": {"resourceAttributes": question}}
            path = f"{AUTHORIZATION}/selfsubjectaccessreviews"
            told = await api.create(path, own, as_user=himself)
            assert told["status"]["allowed"] is allowed
            listed = await api.send("GET", f"{DEFAULT}/configmaps", as_user=himself)
            assert (listed.code == 200) is allowed
            if not allowed:
                await _grant(api, user)

    play(story)


async def _grant(api: Api, user: str) -> None:
    namespaced = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
    rule = {"verbs": ["list"], "apiGroups": [""], "resources": ["configmaps"]}
    await api.create(f"{namespaced}/roles", {"metadata": {"name": "r"}, "rules": [rule]})
    binding = {
        "metadata": {"name": "r"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user}],
    }
    await api.create(f"{namespaced}/rolebindings", binding)


def test_every_namespace_has_the_clusters_authority() -> None:
    async def told() -> None:
        cluster = SimulatedCluster(1, 1)
        await cluster.start()
        try:
            await cluster.create(NAMESPACES, {"metadata": {"name": "team"}})
            await cluster.step(2.0)
            first = await cluster.find(CONFIG_MAPS, "kube-root-ca.crt", "team")
            assert "BEGIN CERTIFICATE" in first["data"]["ca.crt"]
            await cluster.admin.delete(CONFIG_MAPS, "kube-root-ca.crt", "team")
            await cluster.step(2.0)
            again = await cluster.find(CONFIG_MAPS, "kube-root-ca.crt", "team")
            assert again["metadata"]["uid"] != first["metadata"]["uid"]
            wrong = {"data": {"ca.crt": "wrong"}}
            await cluster.admin.patch(CONFIG_MAPS, "kube-root-ca.crt", wrong, "team")
            await cluster.step(2.0)
            mended = await cluster.find(CONFIG_MAPS, "kube-root-ca.crt", "team")
            assert mended["data"] == first["data"]
            assert not (await cluster.admin.list(PODS, "team")).items
        finally:
            await cluster.close()

    virtual_clock.run(told())


def with_certificate(**certificate: Any) -> Object:
    source = {
        "signerName": "example.com/signer",
        "keyType": "ECDSAP256",
        "credentialBundlePath": "credentials.pem",
    }
    volume = {"name": "c", "projected": {"sources": [{"podCertificate": source | certificate}]}}
    return pod("one", "mounts", volumes=[volume])


def test_a_pods_certificate_is_of_a_bounded_life(play: Play) -> None:
    async def story(api: Api) -> None:
        await api.create(ACCOUNTS, {"metadata": {"name": "mounts"}})
        for seconds, sign in ((91 * 86400 + 1, "<= 7862400"), (3599, ">= 3600")):
            body = with_certificate(maxExpirationSeconds=seconds)
            answer = await api.send("POST", PODS_PATH, body)
            assert answer.code == 422
            assert f"maxExpirationSeconds must be {sign}" in answer["message"]
        made = await api.create(PODS_PATH, with_certificate())
        (source,) = made["spec"]["volumes"][0]["projected"]["sources"]
        assert source["podCertificate"]["maxExpirationSeconds"] == 86400

    play(story)
