"""Who may do what: identities, nodes, roles, and what nobody may grant."""

from datetime import timedelta

import jwt
import pytest

from sampan.foundation.wire.message import Identity, Request

PODS = "/api/v1/namespaces/default/pods"
SECRETS = "/api/v1/namespaces/default/secrets"
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
NODES = "/api/v1/nodes"
MERGE = {"content-type": "application/merge-patch+json"}
RBAC = "/apis/rbac.authorization.k8s.io/v1"


def node(name):
    return Identity(name=f"system:node:{name}", groups=("system:nodes", "system:authenticated"))


def user(name):
    return Identity(name=name, groups=("system:authenticated",))


def bearer(token):
    return {"authorization": f"Bearer {token}"}


async def token_of(api, **spec):
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    return (await api.create(f"{ACCOUNTS}/default/token", body))["status"]["token"]


async def grant(api, name, rules, namespace="default"):
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "rules": rules}
    path = f"{RBAC}/namespaces/{namespace}"
    await api.create(f"{path}/roles", role | {"metadata": {"name": name}})
    await api.create(
        f"{path}/rolebindings",
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": name},
            "roleRef": {"kind": "Role", "name": name},
            "subjects": [{"kind": "User", "name": name}],
        },
    )


def rule(*verbs, resources=("pods",), groups=("",)):
    return {"verbs": list(verbs), "apiGroups": list(groups), "resources": list(resources)}


def test_nobody_is_anonymous(play):
    async def story(api):
        for path in (PODS, "/api", "/apis", "/openapi/v3", "/metrics"):
            answer = await api.send("GET", path, as_user=None)
            assert answer.code == 401
            assert answer["reason"] == "Unauthorized"
        for path in ("/healthz", "/livez", "/readyz", "/version"):
            assert (await api.send("GET", path, as_user=None)).code == 200

    play(story)


def test_tokens_of_workloads(play, pod, account):
    async def story(api):
        await api.create(ACCOUNTS, account)
        made = await api.create(PODS, pod())
        reference = {"kind": "Pod", "apiVersion": "v1", "name": "web"}
        token = await token_of(api, boundObjectRef=reference)
        answer = await api.send("GET", SECRETS, as_user=None, headers=bearer(token))
        assert answer.code == 403
        assert answer["message"] == (
            'secrets is forbidden: User "system:serviceaccount:default:default" cannot list '
            'resource "secrets" in API group "" in the namespace "default"'
        )
        assert made["spec"]["serviceAccountName"] == "default"
        await api.send("DELETE", f"{PODS}/web")
        answer = await api.send("GET", SECRETS, as_user=None, headers=bearer(token))
        assert answer.code == 401

    play(story)


def test_tokens_that_are_not_taken(play, account):
    async def story(api):
        await api.create(ACCOUNTS, account)
        good = await token_of(api)
        claims = jwt.decode(good, options={"verify_signature": False})
        unsigned = jwt.encode(claims, "", algorithm="none")
        weak = jwt.encode(claims, "a-secret-that-is-long-enough-for-it", algorithm="HS256")
        other = await token_of(api, audiences=["somebody-else"])
        for token in ("nonsense", unsigned, weak, other, good + "x", ""):
            answer = await api.send("GET", PODS, as_user=None, headers=bearer(token))
            assert answer.code == 401, token
        assert (await api.send("GET", PODS, as_user=None, headers=bearer(good))).code == 403
        api.now += timedelta(hours=2)
        assert (await api.send("GET", PODS, as_user=None, headers=bearer(good))).code == 401

    play(story)


def test_a_token_ends_with_its_account(play, account):
    async def story(api):
        await api.create(ACCOUNTS, account)
        token = await token_of(api)
        await api.send("DELETE", f"{ACCOUNTS}/default")
        await api.create(ACCOUNTS, account)
        assert (await api.send("GET", PODS, as_user=None, headers=bearer(token))).code == 401

    play(story)


def test_certificates_name_users_and_groups(play):
    async def story(api):
        subject = (("organizationName", "system:masters"), ("commonName", "root"))
        request = Request(method="GET", path=PODS, peer_subject=subject)
        assert (await api.server.handle(request)).status == 200
        request = Request(method="GET", path=PODS, peer_subject=(("commonName", "someone"),))
        assert (await api.server.handle(request)).status == 403

    play(story)


def test_roles_reach_as_far_as_they_say(play):
    async def story(api):
        await grant(api, "reader", [rule("get", "list")])
        someone = user("reader")
        assert (await api.send("GET", PODS, as_user=someone)).code == 200
        assert (await api.send("GET", SECRETS, as_user=someone)).code == 403
        elsewhere = "/api/v1/namespaces/kube-system/pods"
        assert (await api.send("GET", elsewhere, as_user=someone)).code == 403
        assert (await api.send("GET", "/api/v1/pods", as_user=someone)).code == 403
        assert (await api.send("DELETE", f"{PODS}/x", as_user=someone)).code == 403
        await api.send("DELETE", f"{RBAC}/namespaces/default/rolebindings/reader")
        assert (await api.send("GET", PODS, as_user=someone)).code == 403

    play(story)


def test_a_namespaced_role_reaches_nothing_of_the_cluster(play):
    async def story(api):
        await grant(api, "all", [rule("*", resources=("*",), groups=("*",))])
        someone = user("all")
        assert (await api.send("GET", NODES, as_user=someone)).code == 403
        trick = "/api/v1/namespaces/default/nodes"
        assert (await api.send("GET", trick, as_user=someone)).code == 404
        assert (await api.send("GET", f"{trick}/x", as_user=someone)).code == 404

    play(story)


def test_subresources_and_names_are_granted_apart(play):
    async def story(api):
        await grant(api, "logs", [rule("get", resources=("pods/log",))])
        someone = user("logs")
        assert (await api.send("GET", f"{PODS}/x", as_user=someone)).code == 403
        assert (await api.send("GET", f"{PODS}/x/log", as_user=someone)).code == 404
        named = rule("get", resources=("secrets",)) | {"resourceNames": ["mine"]}
        await grant(api, "named", [named])
        assert (await api.send("GET", f"{SECRETS}/mine", as_user=user("named"))).code == 404
        assert (await api.send("GET", f"{SECRETS}/yours", as_user=user("named"))).code == 403

    play(story)


def test_nobody_grants_what_they_do_not_have(play):
    async def story(api):
        verbs = ("create", "update", "patch", "get")
        await grant(
            api,
            "maker",
            [
                rule(
                    *verbs,
                    resources=("roles", "rolebindings"),
                    groups=("rbac.authorization.k8s.io",),
                ),
                rule("get"),
            ],
        )
        someone = user("maker")
        path = f"{RBAC}/namespaces/default"
        more = {"metadata": {"name": "more"}, "rules": [rule("get", resources=("secrets",))]}
        answer = await api.send("POST", f"{path}/roles", more, as_user=someone)
        assert answer.code == 403
        assert "not currently held" in answer["message"]
        same = {"metadata": {"name": "same"}, "rules": [rule("get")]}
        assert (await api.send("POST", f"{path}/roles", same, as_user=someone)).code == 201
        binding = {
            "metadata": {"name": "up"},
            "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "User", "name": "maker"}],
        }
        answer = await api.send("POST", f"{path}/rolebindings", binding, as_user=someone)
        assert answer.code == 403

    play(story)


def test_impersonation_needs_permission(play):
    async def story(api):
        headers = {"impersonate-user": "someone"}
        subject = (("commonName", "root"), ("organizationName", "system:masters"))
        request = Request(method="GET", path=PODS, headers=headers, peer_subject=subject)
        assert (await api.server.handle(request)).status == 403
        headers = {"impersonate-user": "someone", "impersonate-group": "system:masters"}
        request = Request(method="GET", path=PODS, headers=headers, peer_subject=subject)
        assert (await api.server.handle(request)).status == 200
        request.peer_subject = (("commonName", "nobody"),)
        assert (await api.server.handle(request)).status == 403

    play(story)


@pytest.fixture
def secret():
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {}}


def test_a_node_sees_what_its_own_pods_use(play, pod, account, secret):
    async def story(api):
        await api.create(ACCOUNTS, account)
        await api.create(SECRETS, secret)
        body = pod()
        source = {"secretKeyRef": {"name": "s", "key": "k"}}
        body["spec"]["containers"][0]["env"] = [{"name": "A", "valueFrom": source}]
        body["spec"]["nodeName"] = "n1"
        projected = {"sources": [{"serviceAccountToken": {"path": "token"}}]}
        body["spec"]["volumes"] = [{"name": "token", "projected": projected}]
        uid = (await api.create(PODS, body))["metadata"]["uid"]
        reference = {"kind": "Pod", "name": "web", "uid": uid}
        for name, codes in (("n1", (200, 200, 201)), ("n2", (403, 403, 403))):
            answers = (
                await api.send("GET", f"{SECRETS}/s", as_user=node(name)),
                await api.send("GET", f"{PODS}/web", as_user=node(name)),
                await api.send(
                    "POST",
                    f"{ACCOUNTS}/default/token",
                    {"spec": {"boundObjectRef": reference}},
                    as_user=node(name),
                ),
            )
            assert tuple(it.code for it in answers) == codes
        watched = await api.send(
            "GET", SECRETS, as_user=node("n1"), fieldSelector="metadata.name=s"
        )
        assert watched.code == 200
        assert (await api.send("GET", SECRETS, as_user=node("n1"))).code == 403
        everywhere = await api.send(
            "GET", "/api/v1/secrets", as_user=node("n1"), fieldSelector="metadata.name=s"
        )
        assert everywhere.code == 403
        assert (await api.send("GET", "/api/v1/pods", as_user=node("n1"))).code == 403
        own = await api.send(
            "GET", "/api/v1/pods", as_user=node("n1"), fieldSelector="spec.nodeName=n1"
        )
        assert own.code == 200
        other = await api.send(
            "GET", "/api/v1/pods", as_user=node("n1"), fieldSelector="spec.nodeName=n2"
        )
        assert other.code == 403

    play(story)


def test_no_annotation_stands_in_for_an_account(play, pod, account):
    async def story(api):
        await api.create(ACCOUNTS, account)
        body = pod()
        body["spec"]["serviceAccountName"] = "nosuch"
        body["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
        assert (await api.send("POST", PODS, body)).code == 403

    play(story)


def test_a_node_writes_what_is_its_own(play, pod, account):
    async def story(api):
        await api.create(ACCOUNTS, account)
        for name in ("n1", "n2"):
            await api.create(NODES, {"metadata": {"name": name}}, as_user=node(name))
        body = pod()
        body["spec"]["nodeName"] = "n1"
        await api.create(PODS, body)
        first, second = node("n1"), node("n2")
        status = {"status": {"phase": "Running"}}
        labels = {"metadata": {"labels": {"a": "b"}}}
        for path, change, code in (
            (f"{NODES}/n1/status", status, 200),
            (f"{NODES}/n2/status", status, 403),
            (f"{NODES}/n1", labels, 200),
            (f"{PODS}/web/status", status, 200),
        ):
            answer = await api.send("PATCH", path, change, headers=MERGE, as_user=first)
            assert answer.code == code, (path, answer.json)
        for taints in ([{"key": "a", "effect": "NoSchedule"}], []):
            tainted = {"spec": {"taints": taints}}
            answer = await api.send("PATCH", f"{NODES}/n1", tainted, headers=MERGE, as_user=first)
            assert answer.code == 403
        answer = await api.send(
            "PATCH", f"{PODS}/web/status", status, headers=MERGE, as_user=second
        )
        assert answer.code == 403
        assert (await api.send("DELETE", f"{PODS}/web", as_user=second)).code == 403
        answer = await api.send("DELETE", f"{PODS}/web", as_user=first, gracePeriodSeconds=0)
        assert answer.code == 200
        leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        for name, code in (("n1", 201), ("n2", 403)):
            lease = {"metadata": {"name": name}, "spec": {"holderIdentity": name}}
            assert (await api.send("POST", leases, lease, as_user=first)).code == code

    play(story)


@pytest.mark.parametrize(
    ("label", "code"),
    [
        ("disk", 200),
        ("example.com/rack", 200),
        ("topology.kubernetes.io/zone", 200),
        ("node.kubernetes.io/anything", 200),
        ("node-restriction.kubernetes.io/trusted", 403),
        ("a.node-restriction.kubernetes.io/trusted", 403),
        ("node-role.kubernetes.io/vault", 403),
        ("kubernetes.io/vault", 403),
        ("secure.k8s.io/vault", 403),
    ],
)
def test_a_node_chooses_no_label_that_others_trust(play, label, code):
    async def story(api):
        labelled = {"metadata": {"name": "n1", "labels": {label: "x"}}}
        made = await api.send("POST", NODES, labelled, as_user=node("n1"))
        assert made.code == (201 if code == 200 else 403)
        await api.send("POST", NODES, {"metadata": {"name": "n1"}}, as_user=node("n1"))
        change = {"metadata": {"labels": {label: "y"}}}
        answer = await api.send("PATCH", f"{NODES}/n1", change, headers=MERGE, as_user=node("n1"))
        assert answer.code == code

    play(story)


def test_reviews(play, account):
    async def story(api):
        await api.create(ACCOUNTS, account)
        path = "/apis/authorization.k8s.io/v1"
        question = {"resourceAttributes": {"verb": "get", "resource": "pods"}}
        mine = await api.create(f"{path}/selfsubjectaccessreviews", {"spec": question})
        assert mine["status"]["allowed"] is True
        theirs = await api.create(
            f"{path}/subjectaccessreviews", {"spec": question | {"user": "someone"}}
        )
        assert theirs["status"]["allowed"] is False
        token = await token_of(api)
        path = "/apis/authentication.k8s.io/v1"
        review = await api.create(f"{path}/tokenreviews", {"spec": {"token": token}})
        assert review["status"]["authenticated"] is True
        assert review["status"]["user"]["username"] == "system:serviceaccount:default:default"
        bad = await api.create(f"{path}/tokenreviews", {"spec": {"token": "x"}})
        assert "authenticated" not in bad["status"]
        myself = await api.create(f"{path}/selfsubjectreviews", {})
        assert myself["status"]["userInfo"]["username"] == "kubernetes-admin"

    play(story)
