"""What a fresh cluster has, and what a restart does about it."""

from typing import Any

from msgspec.structs import replace

from sampan.control.api.bootstrap.api_services import standing_api_services
from sampan.control.api.bootstrap.flow_control import standing_flow_control
from sampan.control.api.bootstrap.roles import standing_roles
from sampan.control.api.bootstrap.services import standing_authentication
from sampan.control.api.settings import settings_of
from sampan.foundation.settings import Instance
from sampan.kubernetes.kinds.all import ALL, BY_RESOURCE
from sampan.kubernetes.kinds.kind import Object
from sampan.store.memory import MemoryStore

RBAC = "/apis/rbac.authorization.k8s.io/v1"
FLOW = "/apis/flowcontrol.apiserver.k8s.io/v1"
EDIT = f"{RBAC}/clusterroles/system:aggregate-to-edit"


def _named(items: list[Object]) -> set[str]:
    return {item["metadata"]["name"] for item in items}


def test_a_fresh_cluster_has_what_upstream_has(play: Any) -> None:
    async def story(api: Any) -> None:
        async def names(path: str) -> set[str]:
            return _named((await api.send("GET", path)).json["items"])

        assert await names("/api/v1/namespaces") == {
            "default",
            "kube-node-lease",
            "kube-public",
            "kube-system",
        }
        assert {"admin", "edit", "view", "cluster-admin", "system:node"} <= await names(
            f"{RBAC}/clusterroles"
        )
        assert {"kubernetes", "kube-dns"} <= await names("/api/v1/services")
        assert await names("/apis/scheduling.k8s.io/v1/priorityclasses") == {
            "system-cluster-critical",
            "system-node-critical",
        }
        assert "extension-apiserver-authentication-reader" in await names(
            f"{RBAC}/namespaces/kube-system/roles"
        )
        assert {"v1.", "v1.apps", "v2.autoscaling"} <= await names(
            "/apis/apiregistration.k8s.io/v1/apiservices"
        )
        assert await names(f"{FLOW}/prioritylevelconfigurations") == {
            "catch-all",
            "exempt",
            "global-default",
            "leader-election",
            "node-high",
            "system",
            "workload-high",
            "workload-low",
        }

    play(story)


def test_the_range_of_services_is_ready(play: Any) -> None:
    async def story(api: Any) -> None:
        found = await api.send("GET", "/apis/networking.k8s.io/v1/servicecidrs/kubernetes")
        assert found["spec"]["cidrs"] == [str(api.settings.service_range)]
        assert [it["type"] for it in found["status"]["conditions"]] == ["Ready"]

    play(story)


def test_local_api_services_are_available(play: Any) -> None:
    async def story(api: Any) -> None:
        found = await api.send("GET", "/apis/apiregistration.k8s.io/v1/apiservices/v1.apps")
        assert found["status"]["conditions"][0]["status"] == "True"
        assert found["status"]["conditions"][0]["reason"] == "Local"

    play(story)


def test_a_restart_writes_nothing_when_all_is_right(play_sequence: Any) -> None:
    async def story(restart: Any, store: MemoryStore) -> None:
        await restart()
        before = await store.revision()
        await restart()
        assert await store.revision() == before

    play_sequence(story, MemoryStore())


def test_a_restart_repairs_what_was_taken_away_and_keeps_what_was_added(
    play_sequence: Any,
) -> None:
    async def story(restart: Any, store: MemoryStore) -> None:
        api = await restart()
        role = (await api.send("GET", EDIT)).json
        added = {"verbs": ["dance"], "apiGroups": ["example.com"], "resources": ["floors"]}
        role["rules"] = [added]
        assert (await api.send("PUT", EDIT, role)).code == 200
        assert (await api.send("DELETE", f"{FLOW}/flowschemas/probes")).code == 200
        level = f"{FLOW}/prioritylevelconfigurations/system"
        changed = (await api.send("GET", level)).json
        changed["spec"]["limited"]["nominalConcurrencyShares"] = 7
        assert (await api.send("PUT", level, changed)).code == 200

        api = await restart()
        rules = (await api.send("GET", EDIT))["rules"]
        assert added in rules
        assert any("deployments" in rule["resources"] for rule in rules)
        assert (await api.send("GET", f"{FLOW}/flowschemas/probes")).code == 200
        spec = (await api.send("GET", level))["spec"]
        assert spec["limited"]["nominalConcurrencyShares"] == 30

    play_sequence(story, MemoryStore())


def test_a_restart_leaves_alone_what_asks_for_it(play_sequence: Any) -> None:
    async def story(restart: Any, store: MemoryStore) -> None:
        api = await restart()
        role = (await api.send("GET", EDIT)).json
        role["rules"] = []
        role["metadata"]["annotations"] = {"rbac.authorization.kubernetes.io/autoupdate": "false"}
        assert (await api.send("PUT", EDIT, role)).code == 200
        api = await restart()
        assert not (await api.send("GET", EDIT)).json.get("rules")

    play_sequence(story, MemoryStore())


def test_mandatory_flow_schemas_are_fixed(play: Any) -> None:
    async def story(api: Any) -> None:
        path = f"{FLOW}/flowschemas/catch-all"
        schema = (await api.send("GET", path)).json
        schema["spec"]["matchingPrecedence"] = 9000
        refused = await api.send("PUT", path, schema)
        assert refused.code == 422
        assert "must equal the fixed value" in refused["message"]

    play(story)


def test_other_api_servers_learn_who_signs_clients() -> None:
    settings = settings_of(Instance())
    assert list(standing_authentication(settings)) == []
    told = next(standing_authentication(replace(settings, client_authority="PEM")))
    assert told.tree["data"] == {"client-ca-file": "PEM"}
    assert told.renew is not None
    assert told.renew({"data": {"client-ca-file": "PEM"}}) is None
    renewed = told.renew({"data": {"client-ca-file": "old", "other": "kept"}})
    assert renewed == {"data": {"client-ca-file": "PEM", "other": "kept"}}


def test_every_binding_names_a_role_that_is_there() -> None:
    standing = list(standing_roles())
    roles = {
        (it.tree["kind"], it.tree["metadata"].get("namespace", ""), it.tree["metadata"]["name"])
        for it in standing
    }
    for it in standing:
        reference = it.tree.get("roleRef")
        if reference is not None:
            namespace = it.tree["metadata"].get("namespace", "")
            assert (reference["kind"], namespace, reference["name"]) in roles
    assert len({(it.resource, it.key) for it in standing}) == len(standing)


def test_every_flow_schema_names_a_level_that_is_there() -> None:
    standing = [it.tree for it in standing_flow_control()]
    levels = {it["metadata"]["name"] for it in standing if it["kind"].startswith("Priority")}
    schemas = [it for it in standing if it["kind"] == "FlowSchema"]
    assert len(schemas) == 13
    assert {it["spec"]["priorityLevelConfiguration"]["name"] for it in schemas} <= levels


def test_every_group_that_is_served_has_an_api_service() -> None:
    served = {(kind.resource.group, kind.resource.version) for kind in ALL}
    standing = [it.tree["spec"] for it in standing_api_services(ALL)]
    found = {(it.get("group", ""), it["version"]) for it in standing}
    assert served - found == {("apiregistration.k8s.io", "v1")}


def test_what_is_written_at_first_is_what_is_wanted_later() -> None:
    """Or a default would be taken for a change, and undone, at each start."""
    for standing in (*standing_flow_control(), *standing_api_services(ALL), *standing_roles()):
        if standing.renew is not None:
            BY_RESOURCE[standing.resource].default(standing.tree)
            assert standing.renew(standing.tree) is None, standing.key
