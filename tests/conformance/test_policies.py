"""Admission policies for deployments."""

from collections.abc import Callable
from typing import Any

from tests.conformance.requests import DEPLOYMENTS, Object, deployment, read, until
from tests.control.api.conftest import Api

GROUP = "/apis/admissionregistration.k8s.io/v1"
RULES = {
    "resourceRules": [
        {
            "apiGroups": ["apps"],
            "apiVersions": ["v1"],
            "operations": ["CREATE"],
            "resources": ["deployments"],
        }
    ]
}
Play = Callable[..., None]


async def bound(api: Api, sort: str, spec: Object, **binding: Any) -> None:
    """A policy and its binding for namespaces that are labelled for it."""
    policy = {"metadata": {"name": "rules"}, "spec": {"matchConstraints": RULES} | spec}
    await api.create(f"{GROUP}/{sort}admissionpolicies", policy)
    resources = {"namespaceSelector": {"matchLabels": {"guarded": "yes"}}}
    body = {"policyName": "rules", "matchResources": resources} | binding
    binding_of = {"metadata": {"name": "bound"}, "spec": body}
    await api.create(f"{GROUP}/{sort}admissionpolicybindings", binding_of)


async def guarded(api: Api) -> str:
    namespace = {"metadata": {"name": "guarded", "labels": {"guarded": "yes"}}}
    await api.create("/api/v1/namespaces", namespace)
    return DEPLOYMENTS.replace("default", "guarded")


def test_deployments_are_validated(play: Play) -> None:
    async def story(api: Api) -> None:
        path = await guarded(api)
        validations = [
            {
                "expression": "object.spec.replicas > 1",
                "messageExpression": "'got ' + string(object.spec.replicas)",
            },
            {"expression": "object.spec.strategy.type == 'RollingUpdate'"},
        ]
        await bound(api, "validating", {"validations": validations}, validationActions=["Deny"])
        answer = await api.send("POST", path, deployment(replicas=1))
        assert (answer.code, answer["reason"]) == (422, "Invalid")
        assert (
            "ValidatingAdmissionPolicy 'rules' with binding 'bound' denied request: got 1"
            in answer["message"]
        )
        await api.create(path, deployment(replicas=2))
        await api.create(DEPLOYMENTS, deployment(replicas=1))

    play(story)


def test_expressions_refer_to_variables(play: Play) -> None:
    async def story(api: Api) -> None:
        path = await guarded(api)
        spec = {
            "variables": [
                {"name": "replicas", "expression": "object.spec.replicas"},
                {"name": "oddReplicas", "expression": "variables.replicas % 2 == 1"},
            ],
            "validations": [
                {"expression": "variables.replicas > 1"},
                {"expression": "variables.oddReplicas"},
            ],
        }
        await bound(api, "validating", spec, validationActions=["Deny"])
        for name, replicas, code in (("one", 1, 422), ("two", 2, 422), ("three", 3, 201)):
            assert (await api.send("POST", path, deployment(name, replicas))).code == code

    play(story)


def test_types_of_expressions_are_told_in_the_status(play: Play) -> None:
    async def story(api: Api) -> None:
        validations = [{"expression": "object.spec.replicas > '1'"}]
        await bound(api, "validating", {"validations": validations}, validationActions=["Deny"])

        def is_checked(tree: Any) -> bool:
            return "typeChecking" in tree.get("status", {})

        shown = await until(api, f"{GROUP}/validatingadmissionpolicies/rules", is_checked)
        (warning,) = shown["status"]["typeChecking"]["expressionWarnings"]
        assert warning["fieldRef"] == "spec.validations[0].expression"
        assert "found no matching overload" in warning["warning"]

    play(story)


def mutation(expression: str) -> Object:
    change = {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}
    return {"mutations": [change], "reinvocationPolicy": "Never", "failurePolicy": "Fail"}


def test_deployments_are_mutated(play: Play) -> None:
    async def story(api: Api) -> None:
        path = await guarded(api)
        await bound(api, "mutating", mutation("Object{spec: Object.spec{replicas: 3}}"))
        assert (await api.create(path, deployment()))["spec"]["replicas"] == 3
        assert (await read(api, f"{path}/web"))["spec"]["replicas"] == 3
        assert (await api.create(DEPLOYMENTS, deployment()))["spec"]["replicas"] == 1

    play(story)


def test_deployments_are_mutated_with_annotations(play: Play) -> None:
    async def story(api: Api) -> None:
        path = await guarded(api)
        expression = (
            "Object{metadata: Object.metadata{annotations: "
            "Object.metadata.annotations{mutated: 'true'}}}"
        )
        await bound(api, "mutating", mutation(expression))
        made = await api.create(path, deployment(kept="yes"))
        assert made["metadata"]["annotations"] == {"kept": "yes", "mutated": "true"}
        made = await api.create(path, {**deployment("bare"), "metadata": {"name": "bare"}})
        assert made["metadata"]["annotations"] == {"mutated": "true"}

    play(story)
