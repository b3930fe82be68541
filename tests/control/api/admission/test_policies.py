"""Admission policies in CEL: validations, mutations, bindings, parameters, what fails how."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from sampan.foundation.wire.message import Identity

GROUP = "/apis/admissionregistration.k8s.io/v1"
MAPS = "/api/v1/namespaces/default/configmaps"
KIM = Identity(name="kim", groups=("system:masters",))

RULES = {
    "resourceRules": [
        {
            "operations": ["CREATE", "UPDATE"],
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "resources": ["configmaps"],
        }
    ]
}
Body = dict[str, Any]


def config_map(name: str = "one", **data: str) -> Body:
    return {"metadata": {"name": name, "labels": {"app": "web"}}, "data": data}


async def validate(api: Any, spec: Body, *, name: str = "rules", **binding: Any) -> None:
    """A validating policy and its binding."""
    policy = {"metadata": {"name": name}, "spec": {"matchConstraints": RULES} | spec}
    await api.create(f"{GROUP}/validatingadmissionpolicies", policy)
    body = {"policyName": name, "validationActions": ["Deny"]} | binding
    await api.create(
        f"{GROUP}/validatingadmissionpolicybindings",
        {"metadata": {"name": f"{name}-bound"}, "spec": body},
    )


async def mutate(api: Any, *mutations: Body, name: str = "changes", **more: Any) -> None:
    """A mutating policy and its binding."""
    binding = more.pop("binding", {})
    spec = {"matchConstraints": RULES, "mutations": list(mutations)} | more
    policy = {"metadata": {"name": name}, "spec": {"reinvocationPolicy": "Never"} | spec}
    await api.create(f"{GROUP}/mutatingadmissionpolicies", policy)
    await api.create(
        f"{GROUP}/mutatingadmissionpolicybindings",
        {"metadata": {"name": f"{name}-bound"}, "spec": {"policyName": name} | binding},
    )


def applied(expression: str) -> Body:
    return {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}


def json_patched(expression: str) -> Body:
    return {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}


async def refusal(api: Any, body: Body, **more: Any) -> Any:
    answer = await api.send("POST", MAPS, body, **more)
    assert answer.code >= 400, answer.json
    return answer


def test_a_validation_denies(play: Callable[..., None]) -> None:
    async def story(api: Any) -> None:
        await validate(
            api,
            {
                "variables": [
                    {"name": "keys", "expression": "object.data.map(k, k)"},
                    {"name": "few", "expression": "variables.keys.size() < 3"},
                ],
                "validations": [
                    {"expression": "variables.few", "message": "at most two keys"},
                    {
                        "expression": "!('secret' in object.data)",
                        "messageExpression": "object.metadata.name + ' holds a secret'",
                        "reason": "Forbidden",
                    },
                ],
            },
        )
        await api.create(MAPS, config_map(a="1", b="2"))
        answer = await refusal(api, config_map("two", a="1", b="2", c="3"))
        assert (answer.code, answer["reason"]) == (422, "Invalid")
        denial = (
            "ValidatingAdmissionPolicy 'rules' with binding 'rules-bound' denied request: "
            "at most two keys"
        )
        assert answer["message"] == f'configmaps "two" is forbidden: {denial}'
        assert answer["details"]["causes"] == [{"message": denial}]
        answer = await refusal(api, config_map("two", secret="1"))
        assert (answer.code, answer["reason"]) == (403, "Forbidden")
        assert answer["message"].endswith("denied request: two holds a secret")
        answer = await api.send("PUT", f"{MAPS}/one", config_map(a="1", b="2", c="3"))
        assert answer.code == 422
        assert (await api.send("DELETE", f"{MAPS}/one")).code == 200

    play(story)


def test_actions_other_than_denial(play: Callable[..., None]) -> None:
    async def story(api: Any) -> None:
        rule = {"validations": [{"expression": "has(object.data.good)"}]}
        await validate(api, rule, validationActions=["Warn", "Audit"])
        answer = await api.send("POST", MAPS, config_map(a="1"))
        assert answer.code == 201
        assert (
            "Validation failed for ValidatingAdmissionPolicy 'rules' with binding 'rules-bound': "
            "failed expression: has(object.data.good)"
        ) in answer.headers["Warning"]

    play(story)


@pytest.mark.parametrize(("policy", "code"), [("Fail", 422), ("Ignore", 201)])
def test_errors_follow_the_failure_policy(
    play: Callable[..., None], policy: str, code: int
) -> None:
    async def story(api: Any) -> None:
        rule = {"validations": [{"expression": "object.data.x == '1'"}], "failurePolicy": policy}
        await validate(api, rule)
        answer = await api.send("POST", MAPS, config_map(a="1"))
        assert answer.code == code
        if code == 422:
            assert answer["message"].endswith(
                "expression 'object.data.x == '1'' resulted in error: no such key: x"
            )

    play(story)


def test_bindings_and_conditions_narrow(play: Callable[..., None]) -> None:
    async def story(api: Any) -> None:
        await validate(
            api,
            {
                "validations": [{"expression": "false"}],
                "matchConditions": [
                    {"name": "kim", "expression": "request.userInfo.username == 'kim'"}
                ],
            },
            matchResources={"objectSelector": {"matchLabels": {"guarded": "yes"}}},
        )
        guarded = config_map("guarded")
        guarded["metadata"]["labels"] = {"guarded": "yes"}
        await api.create(MAPS, config_map("free"), as_user=KIM)
        await api.create(MAPS, guarded)
        guarded["metadata"]["name"] = "other"
        assert (await refusal(api, guarded, as_user=KIM)).code == 422

    play(story)


def test_excluded_rules_and_names(play: Callable[..., None]) -> None:
    async def story(api: Any) -> None:
        named = RULES["resourceRules"][0] | {"resourceNames": ["free"]}
        constraints = RULES | {"excludeResourceRules": [named]}
        rule = {"validations": [{"expression": "false"}], "matchConstraints": constraints}
        await validate(api, rule)
        await api.create(MAPS, config_map("free"))
        assert (await refusal(api, config_map("other"))).code == 422

    play(story)


def test_parameters(play: Callable[..., None]) -> None:
    async def story(api: Any) -> None:
        await api.create(MAPS, config_map("limits", most="1"))
        await validate(
            api,
            {
                "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
                "validations": [{"expression": "object.data.size() <= int(params.data.most)"}],
            },
            paramRef={"name": "limits", "parameterNotFoundAction": "Deny"},
        )
        await api.create(MAPS, config_map("small", a="1"))
        assert (await refusal(api, config_map("large", a="1", b="2"))).code == 422
        await api.send("DELETE", f"{MAPS}/limits")
        answer = await refusal(api, config_map("more", a="1"))
        assert (
            "no params found for policy binding with `Deny` parameterNotFoundAction"
            in (answer["message"])
        )

    play(story)


def test_parameters_by_selector_are_all_asked(play: Callable[..., None]) -> None:
    async def story(api: Any) -> None:
        for name in ("a", "b"):
            parameter = config_map(f"limit-{name}", key=name)
            parameter["metadata"]["labels"] = {"limit": "yes"}
            await api.create(MAPS, parameter)
        await validate(
            api,
            {
                "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
                "validations": [{"expression": "params.data.key in object.data"}],
            },
            paramRef={
                "selector": {"matchLabels": {"limit": "yes"}},
                "parameterNotFoundAction": "Allow",
            },
        )
        await api.create(MAPS, config_map("both", a="1", b="1"))
        assert (await refusal(api, config_map("one", a="1"))).code == 422

    play(story)


def test_the_namespace_and_the_authorizer_are_seen(play: Callable[..., None]) -> None:
    async def story(api: Any) -> None:
        check = "authorizer.group('').resource('pods').namespace('default').check('delete')"
        await validate(
            api,
            {
                "validations": [
                    {"expression": "namespaceObject.metadata.name == 'default'"},
                    {"expression": f"{check}.allowed()"},
                    {"expression": "authorizer.requestResource.check('update').allowed()"},
                    {
                        "expression": "!authorizer.serviceAccount('default', 'x').group('')"
                        ".resource('pods').check('get').allowed()"
                    },
                ]
            },
        )
        await api.create(MAPS, config_map("one"))

    play(story, in_real_time=True)


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        (
            {"validations": [{"expression": "object.x ="}]},
            "spec.validations[0].expression",
            "compilation failed: ERROR: <input>:1:10: Syntax error",
        ),
        (
            {"validations": [{"expression": "params.x == 1"}]},
            "spec.validations[0].expression",
            "undeclared reference to 'params' (in container '')",
        ),
        (
            {"validations": [{"expression": "'a'"}]},
            "spec.validations[0].expression",
            "must evaluate to bool",
        ),
        (
            {"validations": [{"expression": "true", "messageExpression": "1"}]},
            "spec.validations[0].messageExpression",
            "must evaluate to string",
        ),
        (
            {
                "validations": [{"expression": "variables.b"}],
                "variables": [{"name": "a", "expression": "true"}],
            },
            "spec.validations[0].expression",
            "undefined field 'b'",
        ),
        (
            {
                "validations": [{"expression": "true"}],
                "matchConditions": [{"name": "c", "expression": "request.nothing == 1"}],
            },
            "spec.matchConditions[0].expression",
            "undefined field 'nothing'",
        ),
    ],
)
def test_wrong_expressions_are_refused(
    play: Callable[..., None], spec: Body, field: str, message: str
) -> None:
    async def story(api: Any) -> None:
        body = {"metadata": {"name": "wrong"}, "spec": {"matchConstraints": RULES} | spec}
        answer = await api.send("POST", f"{GROUP}/validatingadmissionpolicies", body)
        assert answer.code == 422, answer.json
        causes = {it["field"]: it["message"] for it in answer["details"]["causes"]}
        assert message in causes[field]

    play(story)


def test_a_configuration_is_merged_in(play: Callable[..., None]) -> None:
    async def story(api: Any) -> None:
        text = (
            "Object{metadata: Object.metadata{labels: {'added': object.metadata.name}}, "
            "data: {'size': string(object.data.size())}}"
        )
        await mutate(api, applied(text))
        created = await api.create(MAPS, config_map(a="1"))
        assert created["metadata"]["labels"] == {"app": "web", "added": "one"}
        assert created["data"] == {"a": "1", "size": "1"}

    play(story)


def test_lists_are_merged_by_their_keys(
    play: Callable[..., None], pod: Callable[..., Body], account: Body
) -> None:
    async def story(api: Any) -> None:
        rule = RULES["resourceRules"][0] | {"resources": ["pods"], "operations": ["CREATE"]}
        text = (
            "Object{spec: Object.spec{containers: object.spec.containers.map(c, "
            "Object.spec.containers{name: c.name, imagePullPolicy: 'Always'}), "
            "initContainers: [Object.spec.initContainers{name: 'setup', image: 'setup:1'}]}}"
        )
        await mutate(api, applied(text), matchConstraints={"resourceRules": [rule]})
        await api.create("/api/v1/namespaces/default/serviceaccounts", account)
        created = await api.create("/api/v1/namespaces/default/pods", pod())
        (container,) = created["spec"]["containers"]
        assert (container["image"], container["imagePullPolicy"]) == ("hello:1", "Always")
        assert created["spec"]["initContainers"][0]["terminationMessagePath"]

    play(story)


def test_names_are_not_configured(play: Callable[..., None]) -> None:
    async def story(api: Any) -> None:
        await mutate(api, applied("Object{metadata: Object.metadata{name: 'other'}}"))
        answer = await api.send("POST", MAPS, config_map(a="1"))
        assert "metadata.name may not be changed" in answer["message"]

    play(story)


def test_atomic_lists_are_not_configured(
    play: Callable[..., None], pod: Callable[..., Body], account: Body
) -> None:
    async def story(api: Any) -> None:
        rule = RULES["resourceRules"][0] | {"resources": ["pods"], "operations": ["CREATE"]}
        text = (
            "Object{spec: Object.spec{containers: [Object.spec.containers{name: 'main', "
            "command: ['sh']}]}}"
        )
        await mutate(api, applied(text), matchConstraints={"resourceRules": [rule]})
        await api.create("/api/v1/namespaces/default/serviceaccounts", account)
        answer = await api.send("POST", "/api/v1/namespaces/default/pods", pod())
        assert answer.code == 422
        assert (
            "may not mutate atomic arrays, maps or structs: .spec.containers[0].command"
            in answer["message"]
        )

    play(story)


def test_a_patch_is_applied(play: Callable[..., None]) -> None:
    async def story(api: Any) -> None:
        text = (
            "has(object.metadata.labels) ? [JSONPatch{op: 'add', path: '/metadata/labels/' + "
            "jsonpatch.escapeKey('example.com/x'), value: 'yes'}] : []"
        )
        await mutate(api, json_patched(text))
        created = await api.create(MAPS, config_map(a="1"))
        assert created["metadata"]["labels"]["example.com/x"] == "yes"

    play(story)


@pytest.mark.parametrize(("policy", "code"), [("Fail", 422), ("Ignore", 201)])
def test_mutations_that_fail(play: Callable[..., None], policy: str, code: int) -> None:
    async def story(api: Any) -> None:
        text = "[JSONPatch{op: 'remove', path: '/data/missing'}]"
        await mutate(api, json_patched(text), failurePolicy=policy)
        answer = await api.send("POST", MAPS, config_map(a="1"))
        assert answer.code == code
        if code == 422:
            assert (
                "policy 'changes' with binding 'changes-bound' denied request"
                in (answer["message"])
            )

    play(story)


def test_mutations_see_one_another_and_are_asked_again(play: Callable[..., None]) -> None:
    async def story(api: Any) -> None:
        once = "Object{data: {'rounds': string(int(object.data[?'rounds'].orValue('0')) + 1)}}"
        await mutate(api, applied(once), name="a-counts", reinvocationPolicy="IfNeeded")
        await mutate(api, applied("Object{data: {'other': '1'}}"), name="b-other")
        created = await api.create(MAPS, config_map(a="1"))
        assert created["data"] == {"a": "1", "rounds": "2", "other": "1"}

    play(story)


def test_policies_cannot_lock_themselves_in(play: Callable[..., None]) -> None:
    async def story(api: Any) -> None:
        everything = {
            "resourceRules": [
                {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}
            ]
        }
        rule = {"validations": [{"expression": "false"}], "matchConstraints": everything}
        await validate(api, rule)
        assert (await api.send("POST", MAPS, config_map())).code == 422
        for path in ("validatingadmissionpolicybindings/rules-bound",):
            assert (await api.send("DELETE", f"{GROUP}/{path}")).code == 200
        await api.create(MAPS, config_map())

    play(story)


def test_work_without_end_is_stopped(play: Callable[..., None]) -> None:
    async def story(api: Any) -> None:
        keys = {f"k{at}": "v" for at in range(100)}
        loops = (
            "object.data.all(a, object.data.all(b, object.data.all(c, object.data.all(d, true))))"
        )
        await validate(api, {"validations": [{"expression": loops}]})
        answer = await refusal(api, config_map(**keys))
        assert answer.code == 422
        assert "operation cancelled: actual cost limit exceeded" in answer["message"]

    play(story, in_real_time=True)


async def type_checked(api: Any, name: str) -> Any:
    for _ in range(100):
        policy = await api.send("GET", f"{GROUP}/validatingadmissionpolicies/{name}")
        if "typeChecking" in (policy.json.get("status") or {}):
            return policy["status"]
        await asyncio.sleep(0.01)
    raise AssertionError("the policy was never checked")


def test_types_are_checked_against_the_kinds_that_rules_name(play: Callable[..., None]) -> None:
    deployments = {
        "operations": ["CREATE"],
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "resources": ["deployments"],
    }

    async def story(api: Any) -> None:
        spec = {
            "matchConstraints": {"resourceRules": [deployments]},
            "validations": [
                {"expression": "object.spec.replicas > 1"},
                {"expression": "object.spec.replicas > '1'"},
                {
                    "expression": "object.spec.template.spec.containers.all(c, c.imagee != '')",
                    "messageExpression": "'in ' + object.metadata.namespace",
                },
            ],
        }
        policy = {"metadata": {"name": "typed"}, "spec": spec}
        await api.create(f"{GROUP}/validatingadmissionpolicies", policy)
        status = await type_checked(api, "typed")
        assert status["observedGeneration"] == 1
        first, second = status["typeChecking"]["expressionWarnings"]
        assert first["fieldRef"] == "spec.validations[1].expression"
        assert first["warning"].startswith(
            "apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload for "
            "'_>_' applied to '(int, string)'"
        )
        assert second["fieldRef"] == "spec.validations[2].expression"
        assert "undefined field 'imagee'" in second["warning"]

    play(story)


def test_a_policy_of_good_types_has_no_warnings(play: Callable[..., None]) -> None:
    async def story(api: Any) -> None:
        await validate(api, {"validations": [{"expression": "object.data.all(k, k != '')"}]})
        assert (await type_checked(api, "rules"))["typeChecking"] == {}

    play(story)
