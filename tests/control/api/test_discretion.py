"""Secrets stay where they belong: in no log, no refusal, no metric, no answer to another."""

import base64
import logging

from sampan.foundation.wire.message import Identity, Request, whole

ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
SECRETS = "/api/v1/namespaces/default/secrets"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
PASSWORD = "correct-horse-battery-staple"


async def text_of(api, path, token, **headers):
    """The answer to a request that shows a token, as text."""
    shown = {"authorization": f"Bearer {token}", "content-type": "application/json"} | headers
    request = Request(method="GET", path=path, headers=shown)
    return (await whole((await api.server.handle(request)).body)).decode()


def test_tokens_and_secrets_are_in_no_log_and_no_refusal(play, account, caplog):
    caplog.set_level(logging.DEBUG)

    async def story(api):
        await api.create(ACCOUNTS, account)
        made = await api.create(f"{ACCOUNTS}/default/token", {"spec": {}})
        token = made["status"]["token"]
        encoded = base64.b64encode(PASSWORD.encode()).decode()
        secret = {"metadata": {"name": "s"}, "data": {"password": encoded}}
        await api.create(SECRETS, secret)
        bad = {"metadata": {"name": "S"}, "data": {"password": encoded}}
        told = [(await api.send("POST", SECRETS, bad)).raw.decode()]
        garbled = token[:-8] + "AAAAAAAA"
        for shown in (token, garbled, "abcdef.0123456789abcdef"):
            paths = (SECRETS, f"{SECRETS}/s", "/nosuch", ACCOUNTS)
            told += [await text_of(api, path, shown) for path in paths]
        review = await api.send("POST", REVIEWS, {"spec": {"token": garbled}})
        told.append(str(review["status"]))
        told.append((await api.send("GET", "/metrics")).raw.decode())
        told.append(caplog.text)
        for text in told:
            for kept in (token, garbled, PASSWORD, encoded, "0123456789abcdef"):
                assert kept not in text

    play(story)


def test_a_credential_goes_no_further_than_its_stage(play, account):
    async def story(api):
        await api.create(ACCOUNTS, account)
        made = await api.create(f"{ACCOUNTS}/default/token", {"spec": {}})
        headers = {"authorization": f"Bearer {made['status']['token']}"}
        request = Request(method="GET", path="/version", headers=headers)
        await api.server.handle(request)
        assert "authorization" not in request.headers

    play(story)


def test_nobody_gets_in_without_a_name(play):
    async def story(api):
        for headers in (
            {},
            {"authorization": ""},
            {"authorization": "Basic YWRtaW46YWRtaW4="},
            {"authorization": "Bearer"},
            {"authorization": "Bearer "},
            {"impersonate-user": "kubernetes-admin"},
            {"x-remote-user": "admin", "x-remote-group": "system:masters"},
        ):
            for path in (SECRETS, "/api", "/metrics", "/openapi/v2", "/.well-known/x"):
                request = Request(method="GET", path=path, headers=dict(headers))
                assert (await api.server.handle(request)).status == 401, headers

    play(story)


def test_the_anonymous_are_nobody_even_on_open_paths(play):
    async def story(api):
        request = Request(method="GET", path="/healthz", headers={"impersonate-user": "root"})
        assert (await api.server.handle(request)).status == 403
        request = Request(method="GET", path="/healthz", headers={"authorization": "Bearer x"})
        assert (await api.server.handle(request)).status == 401

    play(story)


def test_a_nodes_proxy_is_no_way_to_its_containers(play):
    async def story(api):
        rbac = "/apis/rbac.authorization.k8s.io/v1"
        rule = {"verbs": ["get"], "apiGroups": [""], "resources": ["nodes/proxy"]}
        await api.create(f"{rbac}/clusterroles", {"metadata": {"name": "p"}, "rules": [rule]})
        binding = {
            "metadata": {"name": "p"},
            "roleRef": {"kind": "ClusterRole", "name": "p"},
            "subjects": [{"kind": "User", "name": "watcher"}],
        }
        await api.create(f"{rbac}/clusterrolebindings", binding)
        await api.create("/api/v1/nodes", {"metadata": {"name": "n1"}})
        watcher = Identity("watcher", ("system:authenticated",))
        for path in ("exec/default/web/main", "run/default/web/main", "attach/default/web/main"):
            whole_path = f"/api/v1/nodes/n1/proxy/{path}?command=id"
            for method in ("GET", "POST"):
                answer = await api.send(method, whole_path, as_user=watcher)
                assert answer.code in (403, 404, 405)

    play(story)
