"""Webhooks over real TLS on loopback: what they are asked, what their answers lead to."""

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from sampan.foundation.wire.message import Identity
from sampan.store.memory import MemoryStore

MAPS = "/api/v1/namespaces/default/configmaps"
CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/{}webhookconfigurations"
EDITOR = Identity(name="kim", groups=("system:masters", "people"), extra={"team": ("blue",)})

Configure = Callable[..., dict[str, Any]]


def config_map(name: str = "one", **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {"app": "web"}},
        "data": data,
    }


async def configure(api: Any, body: dict[str, Any]) -> None:
    sort = "mutating" if body["kind"].startswith("Mutating") else "validating"
    await api.create(CONFIGURATIONS.format(sort), body)


def patch_of(*operations: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    content = base64.b64encode(json.dumps(operations).encode()).decode()
    return lambda _request: {"allowed": True, "patchType": "JSONPatch", "patch": content}


def add(key: str, value: str) -> dict[str, Any]:
    return {"op": "add", "path": f"/data/{key}", "value": value}


def test_a_webhook_is_asked_in_the_published_form(
    play: Any, serve: Any, configuration: Configure
) -> None:
    async def story(api: Any) -> None:
        async with serve() as hook:
            await configure(api, configuration(hook.client("/check"), kind="Validating"))
            await api.create(f"{MAPS}?fieldManager=me", config_map(a="1"), as_user=EDITOR)
            await api.send("PUT", f"{MAPS}/one", config_map(a="2"), as_user=EDITOR)
            await api.send("DELETE", f"{MAPS}/one?dryRun=All", as_user=EDITOR)
        create, update, delete = hook.requests
        assert hook.queries == ["timeout=5s"] * 3
        assert create["kind"] == {"group": "", "version": "v1", "kind": "ConfigMap"}
        assert create["resource"] == {"group": "", "version": "v1", "resource": "configmaps"}
        assert create["requestKind"] == create["kind"]
        assert create["name"] == "one"
        assert create["namespace"] == "default"
        assert create["userInfo"]["username"] == "kim"
        assert create["userInfo"]["extra"] == {"team": ["blue"]}
        assert create["object"]["data"] == {"a": "1"}
        assert create["oldObject"] is None
        assert create["dryRun"] is False
        assert create["options"] == {
            "kind": "CreateOptions",
            "apiVersion": "meta.k8s.io/v1",
            "fieldManager": "me",
        }
        assert (create["operation"], update["operation"]) == ("CREATE", "UPDATE")
        assert update["oldObject"]["data"] == {"a": "1"}
        assert delete["operation"] == "DELETE"
        assert delete["object"] is None
        assert delete["oldObject"]["data"] == {"a": "2"}
        assert delete["dryRun"] is True
        assert len({it["uid"] for it in hook.requests}) == 3

    play(story, in_real_time=True)


def test_a_patch_changes_the_object(play: Any, serve: Any, configuration: Configure) -> None:
    async def story(api: Any) -> None:
        async with serve(patch_of(add("added", "yes"))) as hook:
            await configure(api, configuration(hook.client()))
            created = await api.create(MAPS, config_map(a="1"))
            assert created["data"] == {"a": "1", "added": "yes"}
            answer = await api.send(
                "PATCH",
                f"{MAPS}/one",
                {"data": {"b": "2"}},
                headers={"content-type": "application/merge-patch+json"},
            )
            assert answer["data"] == {"a": "1", "added": "yes", "b": "2"}
            deleted = await api.send("DELETE", f"{MAPS}/one")
            assert deleted.code == 500
            assert "not supported for this operation" in deleted["message"]

    play(story, in_real_time=True)


def test_a_patch_cannot_break_the_rules_of_the_kind(
    play: Any, serve: Any, configuration: Configure
) -> None:
    async def story(api: Any) -> None:
        wrong = {"op": "add", "path": "/data/not a key", "value": "x"}
        async with serve(patch_of(wrong)) as hook:
            await configure(api, configuration(hook.client()))
            answer = await api.send("POST", MAPS, config_map(a="1"))
            assert (answer.code, answer["reason"]) == (422, "Invalid")
        async with serve(patch_of({"op": "add", "path": "/data", "value": 7})) as hook:
            await configure(api, configuration(hook.client(), name="other"))
            await api.send("DELETE", CONFIGURATIONS.format("mutating") + "/hooks")
            answer = await api.send("POST", MAPS, config_map(a="1"))
            assert answer.code == 500

    play(story, in_real_time=True)


def test_a_refusal_is_passed_on(play: Any, serve: Any, configuration: Configure) -> None:
    def refuse(request: dict[str, Any]) -> dict[str, Any]:
        data = request["object"]["data"]
        if "plain" in data:
            return {"allowed": False}
        status = {"message": "not like this", "code": 418, "reason": "Teapot"}
        return {"allowed": False, "status": status, "warnings": ["beware"]}

    async def story(api: Any) -> None:
        async with serve(refuse) as hook:
            await configure(api, configuration(hook.client(), kind="Validating"))
            answer = await api.send("POST", MAPS, config_map(a="1"))
            assert answer.code == 418
            assert answer["reason"] == "Teapot"
            assert answer["message"] == (
                'admission webhook "hooks.example.com" denied the request: not like this'
            )
            assert '299 - "beware"' in answer.headers["Warning"]
            answer = await api.send("POST", MAPS, config_map(plain="1"))
            assert answer.code == 400
            assert answer["message"] == (
                'admission webhook "hooks.example.com" denied the request without explanation'
            )
            assert (await api.send("GET", f"{MAPS}/one")).code == 404

    play(story, in_real_time=True)


def test_time_limits_under_both_failure_policies(
    play: Any, serve: Any, configuration: Configure
) -> None:
    async def slowly(_request: web.Request, _review: dict[str, Any]) -> web.StreamResponse:
        await asyncio.sleep(30)
        raise AssertionError

    async def story(api: Any) -> None:
        async with serve(answer=slowly) as hook:
            await configure(api, configuration(hook.client(), timeoutSeconds=1))
            answer = await api.send("POST", MAPS, config_map(a="1"))
            assert answer.code == 500
            assert answer["reason"] == "InternalError"
            assert (
                'failed calling webhook "hooks.example.com": failed to call webhook'
                in (answer["message"])
            )
            assert '?timeout=1s": context deadline exceeded' in answer["message"]
            await api.send("DELETE", CONFIGURATIONS.format("mutating") + "/hooks")
            await configure(
                api, configuration(hook.client(), timeoutSeconds=1, failurePolicy="Ignore")
            )
            await api.create(MAPS, config_map(a="1"))

    play(story, in_real_time=True)


def test_what_answers_badly_is_a_failure(play: Any, serve: Any, configuration: Configure) -> None:
    answers = {
        "redirect": lambda _r: web.HTTPTemporaryRedirect("https://127.0.0.1:1/"),
        "broken": lambda _r: web.Response(text="no JSON"),
        "error": lambda _r: web.Response(status=503, text="later"),
        "uid": lambda _r: web.json_response(
            {
                "apiVersion": "admission.k8s.io/v1",
                "kind": "AdmissionReview",
                "response": {"uid": "another", "allowed": True},
            }
        ),
        "version": lambda review: web.json_response(
            {"response": {"uid": review["request"]["uid"], "allowed": True}}
        ),
        "empty": lambda _r: web.json_response({}),
        "patch": lambda review: web.json_response(
            {
                "apiVersion": "admission.k8s.io/v1",
                "kind": "AdmissionReview",
                "response": {"uid": review["request"]["uid"], "allowed": True, "patch": "W10="},
            }
        ),
    }

    async def respond(request: web.Request, review: dict[str, Any]) -> web.StreamResponse:
        made = answers[request.path.removeprefix("/")](review)
        if isinstance(made, web.HTTPException):
            raise made
        return made

    async def story(api: Any) -> None:
        async with serve(answer=respond) as hook:
            for path in answers:
                await configure(
                    api, configuration(hook.client(f"/{path}"), name=path, kind="Validating")
                )
                answer = await api.send("POST", MAPS, config_map(a="1"))
                assert answer.code == 500, path
                assert f'failed calling webhook "{path}.example.com"' in answer["message"]
                assert "Traceback" not in str(answer.json)
                await api.send("DELETE", f"{CONFIGURATIONS.format('validating')}/{path}")
            assert len(hook.requests) == len(answers)

    play(story, in_real_time=True)


def test_a_stranger_is_not_asked(play: Any, serve: Any, configuration: Configure) -> None:
    async def story(api: Any) -> None:
        async with serve(names=("other.example.com",)) as hook:
            await configure(api, configuration(hook.client(), kind="Validating"))
            answer = await api.send("POST", MAPS, config_map(a="1"))
            assert answer.code == 500
            assert hook.requests == []

    play(story, in_real_time=True)


def test_selectors_and_conditions_choose(play: Any, serve: Any, configuration: Configure) -> None:
    async def story(api: Any) -> None:
        async with serve(lambda _request: {"allowed": False}) as hook:
            more = {
                "namespaceSelector": {"matchLabels": {"guarded": "yes"}},
                "objectSelector": {"matchLabels": {"app": "web"}},
                "matchConditions": [
                    {"name": "kim", "expression": "request.userInfo.username == 'kim'"},
                    {"name": "a", "expression": "has(object.data.a)"},
                    {
                        "name": "may",
                        "expression": "authorizer.group('').resource('pods').namespace('guarded')"
                        ".check('delete').allowed()",
                    },
                ],
            }
            await configure(api, configuration(hook.client(), kind="Validating", **more))
            guarded = {"metadata": {"name": "guarded", "labels": {"guarded": "yes"}}}
            await api.create("/api/v1/namespaces", guarded)
            path = "/api/v1/namespaces/guarded/configmaps"
            await api.create(MAPS, config_map(a="1"), as_user=EDITOR)
            await api.create(path, config_map("other-user", a="1"))
            await api.create(path, config_map("no-a", b="1"), as_user=EDITOR)
            unlabelled = config_map("unlabelled", a="1")
            del unlabelled["metadata"]["labels"]
            await api.create(path, unlabelled, as_user=EDITOR)
            assert hook.requests == []
            assert (await api.send("POST", path, config_map(a="1"), as_user=EDITOR)).code == 400
            assert len(hook.requests) == 1

    play(story, in_real_time=True)


def test_conditions_that_fail_follow_the_failure_policy(
    play: Any, serve: Any, configuration: Configure
) -> None:
    broken = [{"name": "broken", "expression": "object.data.missing == 'x'"}]

    async def story(api: Any) -> None:
        async with serve() as hook:
            await configure(api, configuration(hook.client(), matchConditions=broken))
            answer = await api.send("POST", MAPS, config_map(a="1"))
            assert answer.code == 403
            assert "no such key: missing" in answer["message"]
            await api.send("DELETE", CONFIGURATIONS.format("mutating") + "/hooks")
            ignored = configuration(hook.client(), matchConditions=broken, failurePolicy="Ignore")
            await configure(api, ignored)
            await api.create(MAPS, config_map(a="1"))
            assert hook.requests == []

    play(story, in_real_time=True)


def test_webhooks_are_asked_again_when_others_have_changed_the_object(
    play: Any, serve: Any, configuration: Configure
) -> None:
    async def story(api: Any) -> None:
        async with (
            serve(patch_of(add("first", "1"))) as first,
            serve(patch_of(add("second", "2"))) as second,
        ):
            await configure(
                api,
                configuration(first.client(), name="a-first", reinvocationPolicy="IfNeeded"),
            )
            await configure(api, configuration(second.client(), name="b-second"))
            created = await api.create(MAPS, config_map(a="1"))
            assert created["data"] == {"a": "1", "first": "1", "second": "2"}
            assert len(first.requests) == 2
            assert first.requests[1]["object"]["data"]["second"] == "2"
            assert len(second.requests) == 1

    play(story, in_real_time=True)


def test_configurations_of_admission_are_never_asked_about(
    play: Any, serve: Any, configuration: Configure
) -> None:
    everything = [
        {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}
    ]

    async def story(api: Any) -> None:
        async with serve(lambda _request: {"allowed": False}) as hook:
            for kind in ("Mutating", "Validating"):
                await configure(api, configuration(hook.client(), kind=kind, rules=everything))
            for sort in ("mutating", "validating"):
                path = CONFIGURATIONS.format(sort) + "/hooks"
                assert (await api.send("DELETE", path)).code == 200
            assert hook.requests == []
            review = await api.create(
                "/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": "x"}}
            )
            assert review["status"]

    play(story, in_real_time=True)


def test_a_service_without_endpoints_is_a_failure(
    play: Any, serve: Any, configuration: Configure
) -> None:
    async def story(api: Any) -> None:
        async with serve(lambda _request: {"allowed": False}, names=("hook.default.svc",)) as hook:
            service = {"namespace": "default", "name": "hook", "path": "/check"}
            client = {"service": service, "caBundle": hook.ca}
            await configure(api, configuration(client, kind="Validating"))
            answer = await api.send("POST", MAPS, config_map(a="1"))
            assert (answer.code, 'service "hook" not found' in answer["message"]) == (500, True)
            await api.create(
                "/api/v1/namespaces/default/services",
                {
                    "metadata": {"name": "hook"},
                    "spec": {"ports": [{"name": "https", "port": 443, "targetPort": hook.port}]},
                },
            )
            answer = await api.send("POST", MAPS, config_map(a="1"))
            assert 'no endpoints available for service "hook"' in answer["message"]

    play(story, in_real_time=True)


def test_a_service_answers_under_its_own_name(
    play: Any, serve: Any, configuration: Configure
) -> None:
    async def story(api: Any) -> None:
        async with serve(lambda _request: {"allowed": False}, names=("hook.default.svc",)) as hook:
            await api.create(
                "/api/v1/namespaces/default/services",
                {
                    "metadata": {"name": "hook"},
                    "spec": {
                        "type": "ExternalName",
                        "externalName": "localhost",
                        "ports": [{"port": hook.port}],
                    },
                },
            )
            service = {"namespace": "default", "name": "hook", "port": hook.port, "path": "/x"}
            client = {"service": service, "caBundle": hook.ca}
            await configure(api, configuration(client, kind="Validating"))
            answer = await api.send("POST", MAPS, config_map(a="1"))
            assert (answer.code, len(hook.requests)) == (400, 1)

    play(story, in_real_time=True)


def test_a_flood_of_an_answer_is_not_read(play: Any, serve: Any, configuration: Configure) -> None:
    async def flood(_request: web.Request, _review: dict[str, Any]) -> web.StreamResponse:
        return web.Response(body=b" " * (9 << 20))

    async def story(api: Any) -> None:
        async with serve(answer=flood) as hook:
            await configure(api, configuration(hook.client(), kind="Validating"))
            answer = await api.send("POST", MAPS, config_map(a="1"))
            assert answer.code == 500
            assert "too large a body" in answer["message"]

    play(story, in_real_time=True)


def test_dry_runs_are_told_of(play: Any, serve: Any, configuration: Configure) -> None:
    async def story(api: Any) -> None:
        async with serve(patch_of(add("added", "1"))) as hook:
            await configure(api, configuration(hook.client()))
            created = await api.create(f"{MAPS}?dryRun=All", config_map(a="1"))
            assert created["data"] == {"a": "1", "added": "1"}
            assert hook.requests[0]["dryRun"] is True
            assert hook.requests[0]["options"]["dryRun"] == ["All"]
            assert (await api.send("GET", f"{MAPS}/one")).code == 404

    play(story, in_real_time=True)


def test_a_hook_for_another_version_gets_the_object_in_that_version(
    play: Any, serve: Any, configuration: Configure
) -> None:
    rules = [
        {
            "operations": ["CREATE"],
            "apiGroups": ["autoscaling"],
            "apiVersions": ["v1"],
            "resources": ["horizontalpodautoscalers"],
        }
    ]
    label = {"op": "add", "path": "/metadata/labels", "value": {"seen": "yes"}}

    async def story(api: Any) -> None:
        async with serve(patch_of(label)) as hook:
            await configure(api, configuration(hook.client(), rules=rules))
            scaler = {
                "metadata": {"name": "web"},
                "spec": {
                    "scaleTargetRef": {
                        "kind": "Deployment",
                        "name": "web",
                        "apiVersion": "apps/v1",
                    },
                    "maxReplicas": 3,
                },
            }
            path = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
            created = await api.create(path, scaler)
            assert created["apiVersion"] == "autoscaling/v2"
            assert created["metadata"]["labels"] == {"seen": "yes"}
            assert hook.requests[0]["object"]["apiVersion"] == "autoscaling/v1"
            assert hook.requests[0]["resource"]["version"] == "v1"
            assert hook.requests[0]["requestResource"]["version"] == "v2"

    play(story, in_real_time=True)


def test_custom_resources_pass_the_same_hooks(
    play: Any, serve: Any, configuration: Configure
) -> None:
    spec = {"type": "object", "properties": {"size": {"type": "integer", "default": 3}}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    definition = {
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [version],
        },
    }
    rules = [
        {
            "operations": ["*"],
            "apiGroups": ["example.com"],
            "apiVersions": ["*"],
            "resources": ["*"],
        }
    ]
    operation = {"op": "add", "path": "/spec", "value": {"unknown": 1}}

    async def story(api: Any) -> None:
        async with serve(patch_of(operation)) as hook:
            path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
            await api.create(path, definition)
            await configure(api, configuration(hook.client(), rules=rules))
            widgets = "/apis/example.com/v1/namespaces/default/widgets"
            body = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}}
            for _ in range(100):
                answer = await api.send("POST", widgets, body)
                if answer.code != 404:
                    break
                await asyncio.sleep(0.02)
            assert answer.code == 201, answer.json
            # What the schema doesn't know is pruned, and defaults come after the patch.
            assert answer["spec"] == {"size": 3}
            assert hook.requests[0]["resource"]["resource"] == "widgets"

    play(story, in_real_time=True)


def test_a_hook_that_is_away_does_not_keep_the_server_from_starting(
    play_sequence: Any, configuration: Configure
) -> None:
    everything = [
        {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}
    ]
    role = "/apis/rbac.authorization.k8s.io/v1/clusterroles/view"

    async def story(restart: Any, _store: Any) -> None:
        api = await restart()
        assert (await api.send("DELETE", role)).code == 200
        nobody = {"url": "https://127.0.0.1:1/"}
        for kind in ("Mutating", "Validating"):
            await configure(api, configuration(nobody, kind=kind, rules=everything))
        api = await restart()
        assert (await api.send("GET", role)).code == 200

    play_sequence(story, MemoryStore())
