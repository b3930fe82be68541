"""`fieldValidation` on every write: unknown and repeated fields are refused, told or ignored."""

import json

import pytest

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
MAPS = "/api/v1/namespaces/default/configmaps"
MERGE = {"content-type": "application/merge-patch+json"}
JSON_PATCH = {"content-type": "application/json-patch+json"}
STRATEGIC = {"content-type": "application/strategic-merge-patch+json"}
BODY = b"""{
  "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
  "spec": {
    "unknown1": "val1", "unknownDupe": "val", "unknownDupe": "val2",
    "paused": true, "paused": false,
    "selector": {"matchLabels": {"app": "web"}},
    "template": {
      "metadata": {"labels": {"app": "web"}},
      "spec": {"containers": [{
        "name": "main", "image": "hello:1", "unknownNested": "x",
        "imagePullPolicy": "Always", "imagePullPolicy": "Never"
      }]}
    }
  }
}"""
FINDINGS = [
    'unknown field "spec.unknown1"',
    'unknown field "spec.unknownDupe"',
    'duplicate field "spec.paused"',
    'unknown field "spec.template.spec.containers[0].unknownNested"',
    'duplicate field "spec.template.spec.containers[0].imagePullPolicy"',
]


def config_map(**data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": data}


def test_a_strict_create_names_each_finding_in_order(play):
    async def story(api):
        answer = await api.send("POST", DEPLOYMENTS, BODY, fieldValidation="Strict")
        assert answer.code == 400
        assert answer["message"] == (
            'Deployment in version "v1" cannot be handled as a Deployment: '
            f"strict decoding error: {', '.join(FINDINGS)}"
        )

    play(story)


@pytest.mark.parametrize(("policy", "told"), [("Warn", True), ("", True), ("Ignore", False)])
def test_others_are_warned_or_not(play, policy, told):
    async def story(api):
        answer = await api.send("POST", DEPLOYMENTS, BODY, fieldValidation=policy)
        assert answer.code == 201
        warning = answer.headers.get("Warning", "")
        # Quotes are escaped in the header.
        expected = [finding.replace('"', '\\"') for finding in FINDINGS]
        assert all((finding in warning) == told for finding in expected)
        assert "unknown1" not in answer["spec"]

    play(story)


def test_the_policy_is_checked(play):
    async def story(api):
        answer = await api.send("POST", MAPS, config_map(), fieldValidation="Loose")
        assert answer.code == 422
        assert answer["message"] == (
            'CreateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: '
            '"Loose": supported values: "Ignore", "Strict", "Warn"'
        )

    play(story)


@pytest.mark.parametrize(
    ("headers", "patch"),
    [
        (MERGE, b'{"datum": {}, "data": {"a": "1", "a": "2"}}'),
        (STRATEGIC, b'{"datum": {}, "data": {"a": "1", "a": "2"}}'),
        (JSON_PATCH, b'[{"op": "add", "path": "/datum", "value": {"a": 1, "a": 2}}]'),
    ],
)
def test_patches_are_held_to_it_too(play, headers, patch):
    async def story(api):
        await api.create(MAPS, config_map())
        strict = await api.send(
            "PATCH", f"{MAPS}/x", patch, headers=headers, fieldValidation="Strict"
        )
        assert strict.code == 422
        assert 'strict decoding error: duplicate field "' in strict["message"]
        assert 'unknown field "datum"' in strict["message"]
        warned = await api.send("PATCH", f"{MAPS}/x", patch, headers=headers)
        assert warned.code == 200
        assert "unknown field" in warned.headers["Warning"]

    play(story)


def test_a_patch_that_leads_to_a_wrong_type_is_unprocessable(play):
    async def story(api):
        await api.create(MAPS, config_map())
        answer = await api.send("PATCH", f"{MAPS}/x", {"data": {"a": 1}}, headers=MERGE)
        assert answer.code == 422
        assert "cannot unmarshal number 1" in answer["message"]
        put = config_map() | {"data": {"a": 1}}
        assert (await api.send("PUT", f"{MAPS}/x", json.dumps(put).encode())).code == 400

    play(story)
