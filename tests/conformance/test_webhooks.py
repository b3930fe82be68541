"""Webhooks: what configurations do while they are there, and what becomes of custom resources."""

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web
from tests.conformance.requests import (
    DEFAULT,
    DEFINITIONS,
    MAPS,
    MERGE,
    STRATEGIC,
    Object,
    config_map,
    deleted,
    patched,
    read,
    updated,
)
from tests.control.api.admission.conftest import Serve
from tests.control.api.admission.conftest import patched as patching
from tests.control.api.conftest import Api
from tests.control.api.custom_resources.conftest import WIDGETS, define, definition, version, widget

GROUP = "/apis/admissionregistration.k8s.io/v1"
PODS = f"{DEFAULT}/pods"
Configure = Callable[..., Object]
Play = Callable[..., None]


def path_of(kind: str, name: str = "") -> str:
    path = f"{GROUP}/{kind.lower()}webhookconfigurations"
    return f"{path}/{name}" if name else path


async def configure(api: Api, body: Object) -> Any:
    return await api.create(path_of(body["kind"].removesuffix("WebhookConfiguration")), body)


def rules(*resources: str, group: str = "", operations: tuple[str, ...] = ("*",)) -> list[Object]:
    return [
        {
            "operations": list(operations),
            "apiGroups": [group],
            "apiVersions": ["*"],
            "resources": list(resources),
        }
    ]


def refused(_request: Object) -> Object:
    return {"allowed": False, "status": {"message": "no way"}}


def add(path: str, value: Any) -> Object:
    return {"op": "add", "path": path, "value": value}


def test_resources_of_webhooks_are_in_discovery(play: Play) -> None:
    async def story(api: Api) -> None:
        groups = (await read(api, "/apis"))["groups"]
        (group,) = [it for it in groups if it["name"] == "admissionregistration.k8s.io"]
        assert "v1" in [it["version"] for it in group["versions"]]
        known = {it["name"] for it in (await read(api, GROUP))["resources"]}
        assert {"mutatingwebhookconfigurations", "validatingwebhookconfigurations"} <= known

    play(story)


def listing(play: Play, serve: Serve, configuration: Configure, kind: str, respond: Any) -> None:
    async def story(api: Api) -> None:
        async with serve(respond) as hook:
            for name in ("a", "b"):
                body = configuration(hook.client(), kind=kind, name=name)
                body["metadata"]["labels"] = {"of": "test"}
                await configure(api, body)
            listed = await read(api, path_of(kind), labelSelector="of=test")
            assert len(listed["items"]) == 2
            answer = await api.send("POST", MAPS, {**config_map("one"), "data": {}})
            assert (answer.code == 400) if kind == "Validating" else answer["data"]["x"] == "y"
            await deleted(api, path_of(kind), labelSelector="of=test")
            plain = await api.create(MAPS, config_map("two"))
            assert "data" not in plain

    play(story, in_real_time=True)


def test_validating_webhooks_are_listed_and_deleted_together(
    play: Play, serve: Serve, configuration: Configure
) -> None:
    listing(play, serve, configuration, "Validating", refused)


def test_mutating_webhooks_are_listed_and_deleted_together(
    play: Play, serve: Serve, configuration: Configure
) -> None:
    listing(play, serve, configuration, "Mutating", patching(add("/data", {"x": "y"})))


def changing(play: Play, serve: Serve, configuration: Configure, kind: str, respond: Any) -> None:
    """A rule that names no operation of interest does nothing; patched and updated it does."""

    async def story(api: Api) -> None:
        async with serve(respond) as hook:
            body = configuration(
                hook.client(), kind=kind, rules=rules("configmaps", operations=("CREATE",))
            )
            await configure(api, body)
            path = path_of(kind, "hooks")
            body = await read(api, path)
            body["webhooks"][0]["rules"][0]["operations"] = ["UPDATE"]
            await updated(api, path, body)
            await api.create(MAPS, config_map("one"))
            assert hook.requests == []
            webhook = {
                "name": "hooks.example.com",
                "rules": rules("configmaps", operations=("CREATE",)),
            }
            await patched(api, path, {"webhooks": [webhook]}, STRATEGIC)
            answer = await api.send("POST", MAPS, config_map("two"))
            assert (answer.code == 400) if kind == "Validating" else answer["data"]["x"] == "y"

    play(story, in_real_time=True)


def test_a_validating_webhook_is_updated_and_patched(
    play: Play, serve: Serve, configuration: Configure
) -> None:
    changing(play, serve, configuration, "Validating", refused)


def test_a_mutating_webhook_is_updated_and_patched(
    play: Play, serve: Serve, configuration: Configure
) -> None:
    changing(play, serve, configuration, "Mutating", patching(add("/data", {"x": "y"})))


def conditions(play: Play, serve: Serve, configuration: Configure, kind: str) -> None:
    async def story(api: Api) -> None:
        async with serve() as hook:
            first = {"name": "first", "expression": "object.metadata.name != 'skip'"}
            body = configuration(hook.client(), kind=kind, matchConditions=[first])
            made = await configure(api, body)
            assert made["webhooks"][0]["matchConditions"] == [first]
            second = {"name": "second", "expression": "has(object.data)"}
            made["webhooks"][0]["matchConditions"].append(second)
            shown = await updated(api, path_of(kind, "hooks"), made)
            assert shown["webhooks"][0]["matchConditions"] == [first, second]

    play(story, in_real_time=True)


def test_mutating_webhooks_have_match_conditions(
    play: Play, serve: Serve, configuration: Configure
) -> None:
    conditions(play, serve, configuration, "Mutating")


def test_validating_webhooks_have_match_conditions(
    play: Play, serve: Serve, configuration: Configure
) -> None:
    conditions(play, serve, configuration, "Validating")


def broken_conditions(play: Play, configuration: Configure, kind: str) -> None:
    async def story(api: Api) -> None:
        broken = [{"name": "broken", "expression": "... [] bad expression"}]
        client = {"url": "https://127.0.0.1:1/"}
        body = configuration(client, kind=kind, matchConditions=broken)
        answer = await api.send("POST", path_of(kind), body)
        assert answer.code == 422
        assert "compilation failed" in answer["message"]

    play(story)


def test_mutating_webhooks_with_broken_conditions_are_refused(
    play: Play, configuration: Configure
) -> None:
    broken_conditions(play, configuration, "Mutating")


def test_validating_webhooks_with_broken_conditions_are_refused(
    play: Play, configuration: Configure
) -> None:
    broken_conditions(play, configuration, "Validating")


def test_pods_and_config_maps_are_denied_where_the_namespace_does_not_say_otherwise(
    play: Play, serve: Serve, configuration: Configure, pod: Configure, account: Object
) -> None:
    def unwanted(request: Object) -> Object:
        tree = request["object"]
        is_bad = tree["metadata"].get("labels", {}).get("bad") or "bad" in tree.get("data", {})
        return refused(request) if is_bad else {"allowed": True}

    async def story(api: Api) -> None:
        async with serve(unwanted) as hook:
            selector = {"matchExpressions": [{"key": "skip", "operator": "DoesNotExist"}]}
            body = configuration(
                hook.client(),
                kind="Validating",
                rules=rules("configmaps", "pods", operations=("CREATE", "UPDATE")),
                namespaceSelector=selector,
            )
            await configure(api, body)
            await api.create(f"{DEFAULT}/serviceaccounts", account)
            answer = await api.send("POST", PODS, pod("bad", bad="yes"))
            assert "denied the request: no way" in answer["message"]
            bad = {**config_map("bad"), "data": {"bad": "x"}}
            assert "denied" in (await api.send("POST", MAPS, bad))["message"]
            await api.create(MAPS, config_map("good"))
            good = {**config_map("good"), "data": {"bad": "x"}}
            for method, headers in (("PUT", {}), ("PATCH", MERGE)):
                answer = await api.send(method, f"{MAPS}/good", good, headers=headers)
                assert "denied" in answer["message"]
            free = {"metadata": {"name": "free", "labels": {"skip": "yes"}}}
            await api.create("/api/v1/namespaces", free)
            await api.create("/api/v1/namespaces/free/configmaps", bad)

    play(story, in_real_time=True)


def test_attaching_to_a_pod_is_denied(
    play: Play, serve: Serve, configuration: Configure, pod: Configure, account: Object
) -> None:
    async def story(api: Api) -> None:
        async with serve(refused) as hook:
            attach = rules("pods/attach", operations=("CONNECT",))
            await configure(api, configuration(hook.client(), kind="Validating", rules=attach))
            await api.create(f"{DEFAULT}/serviceaccounts", account)
            await api.create(PODS, pod())
            response = await api.open("GET", f"{PODS}/web/attach", websocket=True)
            assert response.status == 400
            assert hook.requests[0]["operation"] == "CONNECT"
            assert hook.requests[0]["object"]["kind"] == "PodAttachOptions"

    play(story, in_real_time=True)


def test_custom_resources_are_denied(play: Play, serve: Serve, configuration: Configure) -> None:
    def guard(request: Object) -> Object:
        tree = request["object"] or request["oldObject"]
        return refused(request) if tree["spec"].get("color") == "blue" else {"allowed": True}

    async def story(api: Api) -> None:
        await define(api, definition())
        await api.create(WIDGETS, widget("kept", size=1, color="blue"))
        async with serve(guard) as hook:
            both = rules("widgets", group="example.com")
            await configure(api, configuration(hook.client(), kind="Validating", rules=both))
            denied = "denied the request: no way"
            answer = await api.send("POST", WIDGETS, widget("bad", size=1, color="blue"))
            assert denied in answer["message"]
            await api.create(WIDGETS, widget("good"))
            blue = {"spec": {"color": "blue"}}
            answer = await api.send("PATCH", f"{WIDGETS}/good", blue, headers=MERGE)
            assert denied in answer["message"]
            assert denied in (await api.send("DELETE", f"{WIDGETS}/kept"))["message"]
            await patched(api, f"{WIDGETS}/kept", {"spec": {"color": "red"}})
            await deleted(api, f"{WIDGETS}/kept")

    play(story, in_real_time=True)


def test_a_definition_is_denied(play: Play, serve: Serve, configuration: Configure) -> None:
    async def story(api: Api) -> None:
        async with serve(refused) as hook:
            which = rules("customresourcedefinitions", group="apiextensions.k8s.io")
            only = {"matchLabels": {"guarded": "yes"}}
            body = configuration(hook.client(), kind="Validating", rules=which, objectSelector=only)
            await configure(api, body)
            tree = definition()
            tree["metadata"]["labels"] = {"guarded": "yes"}
            answer = await api.send("POST", DEFINITIONS, tree)
            assert "denied the request: no way" in answer["message"]
            await define(api, definition(plural="gadgets"))

    play(story, in_real_time=True)


def test_all_config_maps_but_those_left_out_are_changed(
    play: Play, serve: Serve, configuration: Configure
) -> None:
    async def story(api: Api) -> None:
        async with serve(patching(add("/data", {"x": "y"}))) as hook:
            not_me = [{"name": "skip-me", "expression": "object.metadata.name != 'skip-me'"}]
            await configure(api, configuration(hook.client(), matchConditions=not_me))
            assert (await api.create(MAPS, config_map("one")))["data"] == {"x": "y"}
            assert "data" not in await api.create(MAPS, config_map("skip-me"))

    play(story, in_real_time=True)


def test_a_pod_is_changed_and_what_was_added_gets_its_defaults(
    play: Play, serve: Serve, configuration: Configure, pod: Configure, account: Object
) -> None:
    async def story(api: Api) -> None:
        added = {"name": "added", "image": "hello:1"}
        async with serve(patching(add("/spec/initContainers", [added]))) as hook:
            await configure(api, configuration(hook.client(), rules=rules("pods")))
            await api.create(f"{DEFAULT}/serviceaccounts", account)
            made = await api.create(PODS, pod())
            (container,) = made["spec"]["initContainers"]
            assert container["name"] == "added"
            assert container["terminationMessagePolicy"] == "File"
            assert container["imagePullPolicy"] == "IfNotPresent"

    play(story, in_real_time=True)


def test_a_custom_resource_is_changed_and_pruned(
    play: Play, serve: Serve, configuration: Configure
) -> None:
    properties = {"a": {"type": "string"}, "b": {"type": "string"}}
    spec = {"type": "object", "properties": properties}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}

    async def story(api: Api) -> None:
        await define(api, definition(version(schema=schema)))
        both = patching(add("/spec/b", "known"), add("/spec/c", "unknown"))
        async with serve(both) as hook:
            which = rules("widgets", group="example.com")
            await configure(api, configuration(hook.client(), rules=which))
            made = await api.create(WIDGETS, widget(a="1"))
            assert made["spec"] == {"a": "1", "b": "known"}

    play(story, in_real_time=True)


def test_a_custom_resource_is_changed_while_its_stored_version_changes(
    play: Play, serve: Serve, configuration: Configure
) -> None:
    free = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}

    async def story(api: Api) -> None:
        tree = await define(
            api, definition(version(schema=free), version("v2", storage=False, schema=free))
        )
        async with serve(patching(add("/spec/seen", "yes"))) as hook:
            which = rules("widgets", group="example.com")
            await configure(api, configuration(hook.client(), rules=which))
            assert (await api.create(WIDGETS, widget(a="1")))["spec"] == {"a": "1", "seen": "yes"}
            for one, stored in zip(tree["spec"]["versions"], (False, True), strict=True):
                one["storage"] = stored
            await updated(api, f"{DEFINITIONS}/widgets.example.com", tree)
            shown = await patched(api, f"{WIDGETS}/a", {"spec": {"b": "2"}})
            assert shown["spec"] == {"a": "1", "b": "2", "seen": "yes"}
            newer = WIDGETS.replace("v1", "v2")
            made = await api.create(newer, widget("b", "v2", a="1"))
            assert made["spec"]["seen"] == "yes"

    play(story, in_real_time=True)


def test_a_webhook_that_is_not_there_fails_closed(play: Play, configuration: Configure) -> None:
    async def story(api: Api) -> None:
        client = {"service": {"namespace": "default", "name": "nobody"}}
        body = configuration(client, kind="Validating", failurePolicy="Fail")
        await configure(api, body)
        answer = await api.send("POST", MAPS, config_map("one"))
        assert (answer.code, answer["reason"]) == (500, "InternalError")
        assert "failed calling webhook" in answer["message"]
        assert (await api.send("GET", f"{MAPS}/one")).code == 404

    play(story, in_real_time=True)


def test_time_limits_are_kept(play: Play, serve: Serve, configuration: Configure) -> None:
    """A hook of five seconds: too slow for one second, ignored when it may be, waited for else."""

    async def slowly(_request: web.Request, review: Object) -> web.StreamResponse:
        await asyncio.sleep(1.5)
        response = {"uid": review["request"]["uid"], "allowed": True}
        head = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
        return web.json_response({**head, "response": response})

    async def story(api: Api) -> None:
        async with serve(answer=slowly) as hook:
            for seconds, policy, code in ((1, "Fail", 500), (1, "Ignore", 201), (5, "Fail", 201)):
                body = configuration(
                    hook.client(), kind="Validating", timeoutSeconds=seconds, failurePolicy=policy
                )
                await configure(api, body)
                answer = await api.send("POST", MAPS, config_map(f"m-{seconds}-{policy.lower()}"))
                assert answer.code == code, answer.json
                await deleted(api, path_of("Validating", "hooks"))
            body = configuration(hook.client(), kind="Validating")
            del body["webhooks"][0]["timeoutSeconds"]
            made = await configure(api, body)
            assert made["webhooks"][0]["timeoutSeconds"] == 10

    play(story, in_real_time=True)
