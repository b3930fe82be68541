"""Every sort of credential: what it makes of its bearer, and when it is no longer taken."""

import base64
import json
from datetime import timedelta

import jwt
import pytest

from sampan.foundation.wire.message import Identity, Request, whole

ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
SECRETS = "/api/v1/namespaces/default/secrets"
SYSTEM_SECRETS = "/api/v1/namespaces/kube-system/secrets"
PODS = "/api/v1/namespaces/default/pods"
NODES = "/api/v1/nodes"
WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


def encoded(**data):
    return {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}


def bearer(token):
    return {"authorization": f"Bearer {token}"}


async def who(api, token):
    """The user that a token stands for, None when it isn't taken."""
    answer = await api.send("POST", WHO, {}, as_user=None, headers=bearer(token))
    return answer["status"]["userInfo"] if answer.code == 201 else None


async def request_token(api, **spec):
    return await api.send("POST", f"{ACCOUNTS}/default/token", {"spec": spec})


async def token_of(api, **spec):
    return (await request_token(api, **spec))["status"]["token"]


def bootstrap_secret(**changes):
    data = {
        "token-id": "abcdef",
        "token-secret": "0123456789abcdef",
        "usage-bootstrap-authentication": "true",
        "auth-extra-groups": "system:bootstrappers:site:one",
        **changes,
    }
    return {
        "metadata": {"name": "bootstrap-token-abcdef"},
        "type": "bootstrap.kubernetes.io/token",
        "data": encoded(**data),
    }


JOINING = "abcdef.0123456789abcdef"


def test_a_bootstrap_token_names_a_node_that_joins(play):
    async def story(api):
        expiration = (api.now + timedelta(hours=1)).isoformat()
        await api.create(SYSTEM_SECRETS, bootstrap_secret(expiration=expiration))
        user = await who(api, JOINING)
        assert user["username"] == "system:bootstrap:abcdef"
        assert user["groups"] == [
            "system:bootstrappers",
            "system:bootstrappers:site:one",
            "system:authenticated",
        ]
        for wrong in ("abcdef.0123456789abcdeg", "abcdeg.0123456789abcdef", "abcdef."):
            assert await who(api, wrong) is None
        api.now += timedelta(hours=1)
        assert await who(api, JOINING) is None

    play(story)


@pytest.mark.parametrize(
    "changes",
    [
        {"token-id": "aaaaaa"},
        {"usage-bootstrap-authentication": "false"},
        {"auth-extra-groups": "system:masters"},
        {"auth-extra-groups": "system:bootstrappers:a,other"},
        {"expiration": "soon"},
        {"token-secret": ""},
    ],
)
def test_a_bootstrap_token_that_is_not_taken(play, changes):
    async def story(api):
        await api.create(SYSTEM_SECRETS, bootstrap_secret(**changes))
        assert await who(api, JOINING) is None

    play(story)


def test_a_bootstrap_token_lies_in_the_systems_namespace_alone(play):
    async def story(api):
        await api.create(SECRETS, bootstrap_secret())
        assert await who(api, JOINING) is None
        await api.create(SYSTEM_SECRETS, bootstrap_secret() | {"type": "Opaque"})
        assert await who(api, JOINING) is None

    play(story)


def test_a_token_ends_with_the_secret_it_is_bound_to(play, account):
    async def story(api):
        await api.create(ACCOUNTS, account)
        secret = {"metadata": {"name": "lease"}, "data": {}}
        uid = (await api.create(SECRETS, secret))["metadata"]["uid"]
        reference = {"kind": "Secret", "apiVersion": "v1", "name": "lease"}
        wrong = await request_token(api, boundObjectRef=reference | {"uid": "other"})
        assert (wrong.code, wrong["reason"]) == (409, "Conflict")
        token = await token_of(api, boundObjectRef=reference | {"uid": uid})
        assert (await who(api, token))["username"] == "system:serviceaccount:default:default"
        await api.send("DELETE", f"{SECRETS}/lease")
        assert await who(api, token) is None
        await api.create(SECRETS, secret)
        assert await who(api, token) is None

    play(story)


def test_a_token_ends_with_the_node_it_is_bound_to(play, account):
    async def story(api):
        await api.create(ACCOUNTS, account)
        uid = (await api.create(NODES, {"metadata": {"name": "n1"}}))["metadata"]["uid"]
        token = await token_of(api, boundObjectRef={"kind": "Node", "name": "n1"})
        extra = (await who(api, token))["extra"]
        assert extra["authentication.kubernetes.io/node-name"] == ["n1"]
        assert extra["authentication.kubernetes.io/node-uid"] == [uid]
        await api.send("DELETE", f"{NODES}/n1")
        assert await who(api, token) is None

    play(story)


def test_a_pods_token_tells_of_the_pod_and_its_node(play, account, pod):
    async def story(api):
        await api.create(ACCOUNTS, account)
        await api.create(NODES, {"metadata": {"name": "n1"}})
        body = pod()
        body["spec"]["nodeName"] = "n1"
        uid = (await api.create(PODS, body))["metadata"]["uid"]
        token = await token_of(api, boundObjectRef={"kind": "Pod", "name": "web", "uid": uid})
        extra = (await who(api, token))["extra"]
        assert extra["authentication.kubernetes.io/pod-name"] == ["web"]
        assert extra["authentication.kubernetes.io/pod-uid"] == [uid]
        assert extra["authentication.kubernetes.io/node-name"] == ["n1"]
        assert extra["authentication.kubernetes.io/credential-id"][0].startswith("JTI=")
        await api.send("DELETE", f"{NODES}/n1")
        assert await who(api, token) is not None
        await api.send("DELETE", f"{PODS}/web", gracePeriodSeconds=0)
        assert await who(api, token) is None

    play(story)


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ({"expirationSeconds": 599}, 422),
        ({"expirationSeconds": 0}, 422),
        ({"expirationSeconds": 2**32 + 1}, 422),
        ({"expirationSeconds": 600}, 201),
        ({"boundObjectRef": {"kind": "ConfigMap", "name": "x"}}, 400),
        ({"boundObjectRef": {"kind": "Pod", "apiVersion": "apps/v1", "name": "x"}}, 400),
        ({"boundObjectRef": {"kind": "Pod", "name": "absent"}}, 404),
        ({"boundObjectRef": {"kind": "Secret", "name": "absent"}}, 404),
    ],
)
def test_what_may_be_asked_of_a_token(play, account, spec, code):
    async def story(api):
        await api.create(ACCOUNTS, account)
        answer = await request_token(api, **spec)
        assert answer.code == code, answer.json

    play(story)


def test_no_token_is_bound_to_the_pod_of_another_account(play, account, pod):
    async def story(api):
        await api.create(ACCOUNTS, account)
        await api.create(ACCOUNTS, {"metadata": {"name": "other"}})
        body = pod()
        body["spec"]["serviceAccountName"] = "other"
        await api.create(PODS, body)
        answer = await request_token(api, boundObjectRef={"kind": "Pod", "name": "web"})
        assert answer.code == 400
        assert "different serviceaccount name" in answer["message"]

    play(story)


def test_a_node_gets_the_audiences_of_its_pods_and_no_others(play, account, pod):
    async def story(api):
        await api.create(ACCOUNTS, account)
        node = Identity("system:node:n1", ("system:nodes", "system:authenticated"))
        body = pod()
        body["spec"]["nodeName"] = "n1"
        source = {"serviceAccountToken": {"path": "token", "audience": "vault"}}
        body["spec"]["volumes"] = [{"name": "t", "projected": {"sources": [source]}}]
        uid = (await api.create(PODS, body))["metadata"]["uid"]
        reference = {"kind": "Pod", "name": "web", "uid": uid}
        for spec, code in (
            ({"audiences": ["vault"], "boundObjectRef": reference}, 201),
            ({"audiences": ["bank"], "boundObjectRef": reference}, 403),
            ({"boundObjectRef": reference}, 403),
            ({"audiences": ["vault"], "boundObjectRef": {"kind": "Pod", "name": "web"}}, 403),
            ({"audiences": ["vault"]}, 403),
        ):
            path = f"{ACCOUNTS}/default/token"
            answer = await api.send("POST", path, {"spec": spec}, as_user=node)
            assert answer.code == code, (spec, answer.json)

    play(story)


def test_a_review_tells_the_audiences_that_fit(play, account):
    async def story(api):
        await api.create(ACCOUNTS, account)
        token = await token_of(api, audiences=["vault", "bank"])
        for asked, fit in ((["bank", "x"], ["bank"]), (["x"], None), ([], None)):
            spec = {"token": token, "audiences": asked}
            status = (await api.create(REVIEWS, {"spec": spec}))["status"]
            assert status.get("audiences") == fit
            assert ("error" in status) is (fit is None)
        assert (await api.send("POST", REVIEWS, {"spec": {"token": ""}})).code == 400

    play(story)


def test_outsiders_can_verify_tokens_with_what_is_published(play, account):
    async def story(api):
        await api.create(ACCOUNTS, account)
        token = await token_of(api, audiences=["vault"])
        reader = Identity("system:serviceaccount:default:default", ("system:serviceaccounts",))
        path = "/.well-known/openid-configuration"
        configuration = await api.send("GET", path, as_user=reader)
        assert configuration["issuer"] == api.settings.issuer
        assert configuration["jwks_uri"].endswith("/openid/v1/jwks")
        keys = await api.send("GET", "/openid/v1/jwks", as_user=reader)
        assert keys.headers["Content-Type"] == "application/jwk-set+json"
        (key,) = keys["keys"]
        options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
        claims = jwt.decode(
            token, jwt.PyJWK(key), algorithms=["ES256"], audience="vault", options=options
        )
        assert claims["iss"] == configuration["issuer"]
        assert (await api.send("GET", path, as_user=None)).code == 401
        assert (await api.send("POST", path, {}, as_user=reader)).code in (403, 405)

    play(story)


def test_a_browser_hides_its_token_among_the_subprotocols(play, account):
    async def story(api):
        await api.create(ACCOUNTS, account)
        token = base64.urlsafe_b64encode((await token_of(api)).encode()).decode().rstrip("=")
        name = f"base64url.bearer.authorization.k8s.io.{token}"
        for offered, code in ((f"v5.channel.k8s.io, {name}", 201), (f"{name}x", 401)):
            headers = {"sec-websocket-protocol": offered}
            answer = await api.send("POST", WHO, {}, as_user=None, headers=headers)
            assert answer.code == code

    play(story)


def test_a_certificate_names_its_bearer(play):
    async def story(api):
        subject = (
            ("organizationName", "devs"),
            ("organizationName", "ops"),
            ("commonName", "jane"),
            ("1.3.6.1.4.1.57683.2", "u-1"),
        )
        request = Request(
            method="POST",
            path=WHO,
            body=b"{}",
            headers={"content-type": "application/json"},
            peer_subject=subject,
            peer_fingerprint="ab12",
        )
        response = await api.server.handle(request)
        user = json.loads(await whole(response.body))["status"]["userInfo"]
        assert user == {
            "username": "jane",
            "groups": ["devs", "ops", "system:authenticated"],
            "uid": "u-1",
            "extra": {"authentication.kubernetes.io/credential-id": ["X509SHA256=ab12"]},
        }
        request = Request(method="GET", path=NODES, peer_subject=(("organizationName", "devs"),))
        assert (await api.server.handle(request)).status == 401

    play(story)
