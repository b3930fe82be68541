"""PUT: who may create with it, and who must name the version that they replace."""

from sampan.foundation.wire.message import Identity

LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
MAPS = "/api/v1/namespaces/default/configmaps"


def lease(holder="me"):
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "x"},
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": 10},
    }


def config_map(**data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": data}


ROLES = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
_GROUP = "rbac.authorization.k8s.io"


async def allow(api, who, *verbs):
    """Let somebody do this to leases."""
    rule = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": list(verbs)}
    head = {"apiVersion": f"{_GROUP}/v1", "metadata": {"name": "r"}}
    await api.create(f"{ROLES}/roles", {**head, "kind": "Role", "rules": [rule]})
    binding = {
        "roleRef": {"apiGroup": _GROUP, "kind": "Role", "name": "r"},
        "subjects": [{"apiGroup": _GROUP, "kind": "User", "name": who.name}],
    }
    await api.create(f"{ROLES}/rolebindings", {**head, "kind": "RoleBinding", **binding})


def test_a_lease_is_created_by_a_put_and_then_needs_its_version(play):
    async def story(api):
        made = await api.send("PUT", f"{LEASES}/x", lease())
        assert made.code == 201
        blind = await api.send("PUT", f"{LEASES}/x", lease("other"))
        assert blind.code == 422
        assert blind["message"] == (
            'leases.coordination.k8s.io "x" is invalid: metadata.resourceVersion: '
            "Invalid value: 0x0: must be specified for an update"
        )
        spec = {"holderIdentity": "other", "leaseDurationSeconds": 10}
        seen = await api.send("PUT", f"{LEASES}/x", made.json | {"spec": spec})
        assert seen.code == 200
        tried = lease()
        tried["metadata"]["name"] = "y"
        assert (await api.send("PUT", f"{LEASES}/y", tried, dryRun="All")).code == 201
        assert (await api.send("GET", f"{LEASES}/y")).code == 404

    play(story)


def test_most_kinds_are_not_created_by_a_put_and_need_no_version(play):
    async def story(api):
        assert (await api.send("PUT", f"{MAPS}/x", config_map())).code == 404
        await api.create(MAPS, config_map(a="1"))
        blind = await api.send("PUT", f"{MAPS}/x", config_map(a="2"))
        assert (blind.code, blind["data"]) == (200, {"a": "2"})

    play(story)


def test_a_put_that_named_a_uid_does_not_create(play):
    async def story(api):
        body = lease()
        body["metadata"]["uid"] = "0b2b9d5e-0000-4000-8000-000000000000"
        answer = await api.send("PUT", f"{LEASES}/x", body)
        assert answer.code == 409
        assert (await api.send("GET", f"{LEASES}/x")).code == 404

    play(story)


def test_creating_where_nothing_was_needs_the_right_to_create(play):
    async def story(api):
        who = Identity(name="jane", groups=("system:authenticated",))
        await allow(api, who, "update", "patch")
        refused = await api.send("PUT", f"{LEASES}/x", lease(), as_user=who)
        assert refused.code == 403
        assert 'cannot create resource "leases"' in refused["message"]
        apply = {"content-type": "application/apply-patch+yaml"}
        refused = await api.send(
            "PATCH", f"{LEASES}/x", lease(), as_user=who, headers=apply, fieldManager="me"
        )
        assert refused.code == 403

    play(story)
