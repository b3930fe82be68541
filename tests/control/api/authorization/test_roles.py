"""What roles grant, who may write them, and what is told of it."""

import pytest

from sampan.control.api.attributes import Attributes
from sampan.control.api.authorization.rule_table import RuleTable
from sampan.control.api.authorization.rules import EVERYTHING, PolicyRule, uncovered
from sampan.foundation.wire.message import Identity

RBAC = "/apis/rbac.authorization.k8s.io/v1"
ACCESS = "/apis/authorization.k8s.io/v1"
MERGE = {"content-type": "application/merge-patch+json"}


def user(name):
    return Identity(name, ("system:authenticated",))


def rule(*verbs, resources=("pods",), groups=("",), **more):
    return {"verbs": list(verbs), "apiGroups": list(groups), "resources": list(resources)} | more


def paths(*urls):
    return {"verbs": ["get"], "nonResourceURLs": list(urls)}


async def allow(api, name, *rules):
    """A cluster role bound to the user of that name."""
    await api.create(f"{RBAC}/clusterroles", {"metadata": {"name": name}, "rules": list(rules)})
    binding = {
        "metadata": {"name": name},
        "roleRef": {"kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "User", "name": name}],
    }
    await api.create(f"{RBAC}/clusterrolebindings", binding)


def act(verb="get", resource="pods", **more):
    return Attributes(verb, "", is_resource=True, resource=resource, **more)


@pytest.mark.parametrize(
    ("granted", "attributes", "allowed"),
    [
        (PolicyRule(("*",), ("*",), ("*",)), act("anything", "things", group="x.io"), True),
        (PolicyRule(("get",), ("",), ("pods",)), act(subresource="log", name="p"), False),
        (PolicyRule(("get",), ("",), ("pods/log",)), act(subresource="log", name="p"), True),
        (PolicyRule(("get",), ("",), ("*/log",)), act(subresource="log", name="p"), True),
        (PolicyRule(("get",), ("",), ("*/log",)), act(name="p"), False),
        (PolicyRule(("get",), ("",), ("pods/*",)), act(subresource="log", name="p"), False),
        (PolicyRule(("get",), ("apps",), ("pods",)), act(), False),
        (PolicyRule(("get",), ("",), ("pods",), ("a",)), act(name="a"), True),
        (PolicyRule(("get",), ("",), ("pods",), ("a",)), act(name="b"), False),
        (PolicyRule(("create",), ("",), ("pods",), ("a",)), act("create"), False),
        (PolicyRule(("*",), ("*",), ("*",)), Attributes("get", "/metrics"), False),
        (PolicyRule(("get",), non_resource_urls=("/a/*",)), Attributes("get", "/a/b"), True),
        (PolicyRule(("get",), non_resource_urls=("/a/*",)), Attributes("get", "/a"), False),
        (PolicyRule(("get",), non_resource_urls=("/a",)), Attributes("get", "/a/b"), False),
        (PolicyRule(("get",), non_resource_urls=("*",)), Attributes("post", "/a"), False),
    ],
)
def test_a_rule_allows_what_it_says(granted, attributes, allowed):
    assert RuleTable((granted,)).allows(attributes) is allowed


def test_a_rule_of_endless_combinations_is_judged_whole():
    """One by one, its eight thousand million simple rules would never be judged."""
    names = tuple(f"n{number}" for number in range(2000))
    broad = PolicyRule(names, names, names)
    mine = (PolicyRule(("n1",), ("*",), ("*",)),)
    assert uncovered(mine, (broad,)) == [broad]
    assert uncovered(EVERYTHING, (broad,)) == []


def test_what_is_lacking_is_named(play):
    async def story(api):
        await allow(api, "maker", rule("create", resources=["clusterroles"], groups=["*"]))
        rules = [rule("get", "list", resources=["secrets"]), paths("/metrics")]
        body = {"metadata": {"name": "more"}, "rules": rules}
        answer = await api.send("POST", f"{RBAC}/clusterroles", body, as_user=user("maker"))
        assert answer.code == 403
        assert answer["message"] == (
            'clusterroles.rbac.authorization.k8s.io "more" is forbidden: user "maker" '
            '(groups=["system:authenticated"]) is attempting to grant RBAC permissions not '
            'currently held:\n{APIGroups:[""], Resources:["secrets"], Verbs:["get", "list"]}\n'
            '{NonResourceURLs:["/metrics"], Verbs:["get"]}'
        )

    play(story)


def test_no_role_starts_to_gather_the_rules_of_others(play):
    async def story(api):
        verbs = ("create", "update", "patch", "get")
        roles = rule(*verbs, resources=["clusterroles"], groups=["*"])
        await allow(api, "maker", roles)
        body = {"metadata": {"name": "mine"}, "rules": []}
        made = await api.send("POST", f"{RBAC}/clusterroles", body, as_user=user("maker"))
        assert made.code == 201
        selectors = {"clusterRoleSelectors": [{"matchLabels": {"x": "y"}}]}
        change = {"aggregationRule": selectors}
        answer = await api.send(
            "PATCH", f"{RBAC}/clusterroles/mine", change, headers=MERGE, as_user=user("maker")
        )
        assert answer.code == 403
        assert "must have cluster-admin privileges" in answer["message"]
        labelled = {"metadata": {"labels": {"a": "b"}}}
        answer = await api.send(
            "PATCH", f"{RBAC}/clusterroles/mine", labelled, headers=MERGE, as_user=user("maker")
        )
        assert answer.code == 200

    play(story)


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        ((), 403),
        ((rule("escalate", resources=["clusterroles"], groups=["*"]),), 403),
        ((rule("bind", resources=["clusterroles"], groups=["*"]),), 201),
        ((rule("bind", resources=["clusterroles"], groups=["*"], resourceNames=["view"]),), 403),
        ((rule("*", resources=["*"], groups=["*"]), paths("*")), 403),
        ((rule("*", resources=["*"], groups=["*"]), paths("*") | {"verbs": ["*"]}), 201),
    ],
)
def test_who_binds_a_role_holds_it_or_the_verb_to_bind_it(play, extra, code):
    async def story(api):
        create = rule("create", resources=["clusterrolebindings"], groups=["*"])
        await allow(api, "binder", create, *extra)
        binding = {
            "metadata": {"name": "up"},
            "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "User", "name": "binder"}],
        }
        path = f"{RBAC}/clusterrolebindings"
        answer = await api.send("POST", path, binding, as_user=user("binder"))
        # Who holds `*` on everything holds `bind` as well.
        assert answer.code == (201 if extra and "*" in extra[0]["verbs"] else code)

    play(story)


def test_the_verb_to_escalate_is_enough_for_roles(play):
    async def story(api):
        roles = rule("create", "escalate", resources=["clusterroles"], groups=["*"])
        await allow(api, "maker", roles)
        body = {"metadata": {"name": "more"}, "rules": [rule("*", resources=["*"], groups=["*"])]}
        answer = await api.send("POST", f"{RBAC}/clusterroles", body, as_user=user("maker"))
        assert answer.code == 201

    play(story)


def test_a_review_says_by_which_role(play):
    async def story(api):
        await allow(api, "reader", rule("get"))
        question = {"verb": "get", "resource": "pods", "namespace": "default"}
        spec = {"resourceAttributes": question, "user": "reader"}
        answer = await api.create(f"{ACCESS}/subjectaccessreviews", {"spec": spec})
        assert answer["status"] == {
            "allowed": True,
            "reason": 'RBAC: allowed by ClusterRoleBinding "reader" of ClusterRole "reader" '
            'to User "reader"',
        }
        spec["resourceAttributes"] |= {"verb": "delete"}
        answer = await api.create(f"{ACCESS}/subjectaccessreviews", {"spec": spec})
        assert answer["status"] == {"allowed": False}

    play(story)


def test_a_caller_is_told_all_that_it_may(play):
    async def story(api):
        await allow(api, "reader", rule("get"), paths("/metrics"))
        path = f"{ACCESS}/selfsubjectrulesreviews"
        body = {"spec": {"namespace": "default"}}
        answer = await api.send("POST", path, body, as_user=user("reader"))
        status = answer["status"]
        assert rule("get") in status["resourceRules"]
        assert paths("/metrics") in status["nonResourceRules"]
        assert status["incomplete"] is False
        assert any("selfsubjectreviews" in it["resources"] for it in status["resourceRules"])
        root = Identity("root", ("system:masters", "system:authenticated"))
        everything = (await api.send("POST", path, body, as_user=root))["status"]
        assert everything["resourceRules"][0] == rule("*", resources=["*"], groups=["*"])
        assert (await api.send("POST", path, {"spec": {}}, as_user=root)).code == 400
        node = Identity("system:node:n1", ("system:nodes",))
        path = f"{RBAC}/clusterrolebindings/system:basic-user"
        subjects = {"subjects": [{"kind": "Group", "name": "system:nodes"}]}
        await api.send("PATCH", path, subjects, headers=MERGE)
        path = f"{ACCESS}/selfsubjectrulesreviews"
        partial = (await api.send("POST", path, body, as_user=node))["status"]
        assert partial["incomplete"] is True

    play(story)


@pytest.mark.parametrize(
    ("kind", "spec", "field"),
    [
        ("subjectaccessreviews", {"user": "x"}, "spec.resourceAttributes"),
        ("subjectaccessreviews", {"resourceAttributes": {"verb": "get"}}, "spec.user"),
        (
            "selfsubjectaccessreviews",
            {"resourceAttributes": {}, "nonResourceAttributes": {}},
            "spec.nonResourceAttributes",
        ),
        (
            "localsubjectaccessreviews",
            {"resourceAttributes": {"namespace": "other"}, "user": "x"},
            "spec.resourceAttributes.namespace",
        ),
        (
            "localsubjectaccessreviews",
            {"nonResourceAttributes": {"path": "/"}, "user": "x"},
            "spec.nonResourceAttributes",
        ),
        (
            "selfsubjectaccessreviews",
            {"resourceAttributes": {"fieldSelector": {"requirements": [{"key": "a"}]}}},
            "spec.resourceAttributes.fieldSelector.requirements[0].operator",
        ),
    ],
)
def test_a_question_that_is_badly_put_is_refused(play, kind, spec, field):
    async def story(api):
        scope = "/namespaces/default" if kind.startswith("local") else ""
        answer = await api.send("POST", f"{ACCESS}{scope}/{kind}", {"spec": spec})
        assert answer.code == 422, answer.json
        assert field in [cause["field"] for cause in answer["details"]["causes"]]

    play(story)


def test_grants_follow_every_change_of_roles_and_bindings(play):
    async def story(api):
        path = f"{RBAC}/namespaces/default"
        pods = "/api/v1/namespaces/default/pods"

        async def may(name="jane"):
            return (await api.send("GET", pods, as_user=user(name))).code == 200

        binding = {
            "metadata": {"name": "b"},
            "roleRef": {"kind": "Role", "name": "r"},
            "subjects": [{"kind": "User", "name": "jane"}, {"kind": "User", "name": "jane"}],
        }
        role = {"metadata": {"name": "r"}, "rules": [rule("list")]}
        assert not await may()
        await api.create(f"{path}/rolebindings", binding)
        assert not await may()
        await api.create(f"{path}/roles", role)
        assert await may()
        await api.send("PATCH", f"{path}/roles/r", {"rules": [rule("get")]}, headers=MERGE)
        assert not await may()
        await api.send("PATCH", f"{path}/roles/r", {"rules": [rule("list")]}, headers=MERGE)
        assert await may()
        subjects = {"subjects": [{"kind": "User", "name": "joe"}]}
        await api.send("PATCH", f"{path}/rolebindings/b", subjects, headers=MERGE)
        assert (await may(), await may("joe")) == (False, True)
        second = {**binding, "metadata": {"name": "c"}}
        await api.create(f"{path}/rolebindings", second)
        await api.send("DELETE", f"{path}/rolebindings/b")
        assert (await may(), await may("joe")) == (True, False)
        await api.send("DELETE", f"{path}/roles/r")
        assert not await may()
        await api.create(f"{path}/roles", role)
        assert await may()
        await api.send("DELETE", f"{path}/rolebindings/c")
        assert not await may()

    play(story)
