"""The audit log of a whole server: writes are in it, with the decision, and secrets never are."""

import asyncio
import json
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from tests.control.api.conftest import NOW, SIGNING_KEY, Api

from sampan.control.api.audit.policy import InvalidPolicy
from sampan.control.api.server import ApiServer
from sampan.control.api.settings import settings_of
from sampan.foundation.pki.tokens import TokenSigner
from sampan.foundation.settings import Instance
from sampan.foundation.wire.message import Identity
from sampan.store.memory import MemoryStore

SECRETS = "/api/v1/namespaces/default/secrets"
SECRET = {"metadata": {"name": "s"}, "stringData": {"key": "very-secret"}}
NOBODY = Identity("nobody", ("system:authenticated",))


def audited(log: Path, story: Any, policy: Path | None = None) -> list[Any]:
    """Play a story against a server with an audit log, and read what was told of its users."""
    asyncio.run(_play(log, story, policy))
    events = [json.loads(line) for line in log.read_text().splitlines()]
    return [event for event in events if event["user"]["username"] != "system:apiserver"]


async def _play(log: Path, story: Any, policy: Path | None) -> None:
    settings = msgspec.structs.replace(
        settings_of(Instance()), audit_log=log, audit_policy_file=policy
    )
    signer = TokenSigner(SIGNING_KEY, settings.issuer)
    server = ApiServer.create(
        MemoryStore(), settings=settings, signer=signer, clock=lambda: NOW, random=Random(1)
    )
    await server.start()
    try:
        await story(Api(server, signer, settings))
    finally:
        await server.close()


def test_writes_are_told_and_bodies_are_not(tmp_path: Path) -> None:
    async def story(api: Api) -> None:
        await api.create(SECRETS, SECRET)
        await api.send("GET", f"{SECRETS}/s")
        assert (await api.send("POST", SECRETS, SECRET, as_user=NOBODY)).code == 403

    log = tmp_path / "audit.log"
    created, refused = audited(log, story)
    assert (created["verb"], created["responseStatus"]["code"]) == ("create", 201)
    assert created["annotations"]["authorization.k8s.io/decision"] == "allow"
    assert refused["user"]["username"] == "nobody"
    assert refused["responseStatus"]["reason"] == "Forbidden"
    assert refused["annotations"]["authorization.k8s.io/decision"] == "forbid"
    assert "very-secret" not in log.read_text()


def test_a_policy_of_ones_own(tmp_path: Path) -> None:
    policy = tmp_path / "audit-policy.yaml"
    policy.write_text(
        "apiVersion: audit.k8s.io/v1\n"
        "kind: Policy\n"
        "omitStages: [RequestReceived]\n"
        "rules:\n"
        "- {level: RequestResponse, verbs: [get], users: [kubernetes-admin]}\n"
    )

    async def story(api: Api) -> None:
        await api.create(SECRETS, SECRET)
        await api.send("GET", "/api/v1/namespaces/default")

    (event,) = audited(tmp_path / "audit.log", story, policy)
    assert event["responseObject"]["metadata"]["name"] == "default"


def test_a_request_that_shows_no_identity_is_told(tmp_path: Path) -> None:
    async def story(api: Api) -> None:
        wrong = {"authorization": "Bearer very-secret"}
        assert (await api.send("POST", SECRETS, SECRET, as_user=None, headers=wrong)).code == 401

    log = tmp_path / "audit.log"
    (event,) = audited(log, story)
    assert event["user"]["username"] == "system:anonymous"
    assert event["responseStatus"]["code"] == 401
    assert "very-secret" not in log.read_text()


def test_a_bad_policy_is_refused_at_the_start_with_its_file(tmp_path: Path) -> None:
    policy = tmp_path / "audit-policy.yaml"
    policy.write_text("rules: []")
    with pytest.raises(InvalidPolicy, match=r"audit-policy\.yaml: "):
        audited(tmp_path / "audit.log", None, policy)


NAMESPACES = "/api/v1/namespaces"
STANDARDS = {
    f"pod-security.kubernetes.io/{mode}": level
    for mode, level in (("enforce", "baseline"), ("audit", "restricted"))
}


def test_what_admission_found_is_told(tmp_path: Path) -> None:
    async def story(api: Api) -> None:
        team = {"metadata": {"name": "team", "labels": STANDARDS}}
        await api.create(NAMESPACES, team)
        await api.create(f"{NAMESPACES}/team/serviceaccounts", {"metadata": {"name": "default"}})
        containers = [{"name": "main", "image": "hello:1"}]
        for name, more, code in (("p", {}, 201), ("q", {"hostPID": True}, 403)):
            pod = {"metadata": {"name": name}, "spec": {"containers": containers, **more}}
            answer = await api.send("POST", f"{NAMESPACES}/team/pods", pod)
            assert answer.code == code, answer.json
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": containers}}
        spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
        deployment = {"metadata": {"name": "d"}, "spec": spec}
        await api.create("/apis/apps/v1/namespaces/team/deployments", deployment)

    events = audited(tmp_path / "audit.log", story)
    let_in, refused, deployed = (it["annotations"] for it in events[-3:])
    enforced, violations = (
        f"pod-security.kubernetes.io/{it}" for it in ("enforce-policy", "audit-violations")
    )
    assert (let_in[enforced], refused[enforced]) == ("baseline:latest", "baseline:latest")
    assert let_in[violations].startswith('would violate PodSecurity "restricted:latest": ')
    assert deployed[violations] == let_in[violations]
    assert violations not in refused


def test_what_hooks_say_of_any_form_is_told(tmp_path: Path) -> None:
    group = "/apis/admissionregistration.k8s.io/v1"

    async def story(api: Api) -> None:
        rule = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}
        part = "(has(request.subResource) ? request.subResource : '')"
        seen = {"key": "seen", "valueExpression": f"request.operation + {part}"}
        spec = {"matchConstraints": {"resourceRules": [rule]}, "auditAnnotations": [seen]}
        policy = {"metadata": {"name": "rules"}, "spec": spec}
        await api.create(f"{group}/validatingadmissionpolicies", policy)
        binding = {"policyName": "rules", "validationActions": ["Audit"]}
        body = {"metadata": {"name": "bound"}, "spec": binding}
        await api.create(f"{group}/validatingadmissionpolicybindings", body)
        path = "/apis/apps/v1/namespaces/default/deployments"
        template = {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "main", "image": "hello:1"}]},
        }
        wanted = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
        await api.create(path, {"metadata": {"name": "d"}, "spec": wanted})
        scale = {"content-type": "application/merge-patch+json"}
        await api.send("PATCH", f"{path}/d/scale", {"spec": {"replicas": 2}}, headers=scale)
        await api.send("PATCH", f"{path}/d/status", {"status": {"replicas": 2}}, headers=scale)
        await api.send("DELETE", f"{path}/d")

    events = audited(tmp_path / "audit.log", story)
    said = [it["annotations"].get("rules/seen") for it in events[-4:]]
    assert said == ["CREATE", "UPDATEscale", "UPDATEstatus", "DELETE"]
