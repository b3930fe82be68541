"""Acting as others: what of an identity must be allowed, and how far that goes (KEP-5284)."""

import pytest

from sampan.foundation.wire.message import Request, whole
from sampan.kubernetes.machinery import codecs

RBAC = "/apis/rbac.authorization.k8s.io/v1"
PODS = "/api/v1/namespaces/default/pods"
WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
CORE, PARTS = "", "authentication.k8s.io"


def rule(verb, group, resource, *names):
    found = {"verbs": [verb], "apiGroups": [group], "resources": [resource]}
    return found | ({"resourceNames": list(names)} if names else {})


async def allow(api, user, *rules, namespace=""):
    """Grant rules to a user, in a namespace or everywhere."""
    kind = "Role" if namespace else "ClusterRole"
    path = f"{RBAC}/namespaces/{namespace}" if namespace else RBAC
    prefix = "roles" if namespace else "clusterroles"
    bindings = "rolebindings" if namespace else "clusterrolebindings"
    name = f"{user}-{namespace or 'all'}"
    await api.create(f"{path}/{prefix}", {"metadata": {"name": name}, "rules": list(rules)})
    binding = {
        "metadata": {"name": name},
        "roleRef": {"kind": kind, "name": name},
        "subjects": [{"kind": "User", "name": user}],
    }
    await api.create(f"{path}/{bindings}", binding)


async def send(api, method, path, headers, *, body=b"", user="boss"):
    request = Request(
        method=method,
        path=path,
        body=body,
        headers={"content-type": "application/json"} | headers,
        peer_subject=(("commonName", user),),
    )
    response = await api.server.handle(request)
    return response.status, codecs.decode_json(await whole(response.body)).tree


async def become(api, headers, user="boss"):
    """The identity that the headers lead to, or the code of the refusal."""
    code, answer = await send(api, "POST", WHO, headers, body=b"{}", user=user)
    return answer["status"]["userInfo"] if code == 201 else code


def test_each_part_of_an_identity_needs_its_permission(play):
    async def story(api):
        headers = {
            "impersonate-user": "jane",
            "impersonate-group": "devs, ops",
            "impersonate-uid": "u-1",
            "impersonate-extra-acme.com%2fproject": "one, two",
        }
        rules = [
            rule("impersonate", CORE, "users", "jane"),
            rule("impersonate", CORE, "groups", "devs"),
            rule("impersonate", PARTS, "uids", "u-1"),
            rule("impersonate", PARTS, "userextras/acme.com/project", "one", "two"),
        ]
        await allow(api, "boss", *rules)
        assert await become(api, headers) == 403
        headers["impersonate-group"] = "devs"
        assert await become(api, headers) == {
            "username": "jane",
            "groups": ["devs", "system:authenticated"],
            "uid": "u-1",
            "extra": {"acme.com/project": ["one", "two"]},
        }
        for name, value in (
            ("impersonate-user", "joe"),
            ("impersonate-uid", "u-2"),
            ("impersonate-extra-acme.com%2fproject", "three"),
            ("impersonate-extra-other", "one"),
        ):
            assert await become(api, headers | {name: value}) == 403, name
        del headers["impersonate-user"]
        assert await become(api, headers) == 400

    play(story)


def test_an_account_brings_its_groups(play):
    async def story(api):
        permission = rule("impersonate", CORE, "serviceaccounts", "robot")
        await allow(api, "boss", permission, namespace="default")
        name = "system:serviceaccount:default:robot"
        who = await become(api, {"impersonate-user": name})
        assert who["groups"] == [
            "system:serviceaccounts",
            "system:serviceaccounts:default",
            "system:authenticated",
        ]
        other = "system:serviceaccount:kube-system:robot"
        assert await become(api, {"impersonate-user": other}) == 403

    play(story)


def test_a_constrained_impersonator_acts_as_far_as_it_may(play):
    async def story(api):
        await allow(api, "deputy", rule("impersonate:user-info", PARTS, "users", "jane"))
        acts = rule("impersonate-on:user-info:list", CORE, "pods")
        await allow(api, "deputy", acts, namespace="default")
        await allow(api, "jane", rule("list", CORE, "pods"), rule("get", CORE, "pods"))
        headers = {"impersonate-user": "jane"}
        for path, wanted in (
            (PODS, 200),
            (f"{PODS}/x", 403),
            ("/api/v1/namespaces/kube-system/pods", 403),
        ):
            assert (await send(api, "GET", path, headers, user="deputy"))[0] == wanted
        joe = {"impersonate-user": "joe"}
        assert (await send(api, "GET", PODS, joe, user="deputy"))[0] == 403

    play(story)


@pytest.mark.parametrize(("node", "code"), [("n1", 200), ("n2", 403)])
def test_an_agent_on_a_node_becomes_its_own_node_alone(play, account, pod, node, code):
    async def story(api):
        await api.create("/api/v1/namespaces/default/serviceaccounts", account)
        for name in ("n1", "n2"):
            await api.create("/api/v1/nodes", {"metadata": {"name": name}})
        body = pod()
        body["spec"]["nodeName"] = "n1"
        await api.create(PODS, body)
        reference = {"kind": "Pod", "name": "web"}
        path = "/api/v1/namespaces/default/serviceaccounts/default/token"
        made = await api.create(path, {"spec": {"boundObjectRef": reference}})
        rules = (
            rule("impersonate:associated-node", PARTS, "nodes"),
            rule("impersonate-on:associated-node:get", CORE, "pods"),
        )
        await allow(api, "system:serviceaccount:default:default", *rules)
        request = Request(
            method="GET",
            path=f"{PODS}/web",
            headers={
                "authorization": f"Bearer {made['status']['token']}",
                "impersonate-user": f"system:node:{node}",
            },
        )
        assert (await api.server.handle(request)).status == code

    play(story)


def test_nobody_becomes_administrator_by_the_way(play):
    async def story(api):
        await allow(api, "boss", rule("impersonate", CORE, "users"))
        headers = {"impersonate-user": "x", "impersonate-group": "system:masters"}
        assert await become(api, headers) == 403
        assert (await become(api, {"impersonate-user": "x"}))["username"] == "x"
        anonymous = await become(api, {"impersonate-user": "system:anonymous"})
        assert anonymous == 403

    play(story)
