"""What hooks have to say for the audit log stands in it."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from sampan.control.api.server import ApiServer
from sampan.control.api.settings import settings_of
from sampan.foundation.pki.authority import generate_key
from sampan.foundation.pki.tokens import TokenSigner
from sampan.foundation.settings import Instance
from sampan.foundation.wire.message import Identity, Request, whole
from sampan.store.memory import MemoryStore

GROUP = "/apis/admissionregistration.k8s.io/v1"
ADMINISTRATOR = Identity(name="kubernetes-admin", groups=("system:masters",))


async def post(server: ApiServer, path: str, body: Any) -> None:
    request = Request(
        method="POST",
        path=path,
        headers={"content-type": "application/json"},
        body=json.dumps(body).encode(),
    )
    response = await server.handle_as(request, ADMINISTRATOR)
    assert response.status == 201, await whole(response.body)


async def configure(server: ApiServer, webhook: dict[str, Any]) -> None:
    rule = {
        "operations": ["CREATE"],
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": ["configmaps"],
    }
    spec = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "object.data.size() > 5", "message": "too few"}],
        "auditAnnotations": [
            {"key": "keys", "valueExpression": "string(object.data.size())"},
            {"key": "none", "valueExpression": "null"},
        ],
    }
    policy = {"metadata": {"name": "rules"}, "spec": spec}
    await post(server, f"{GROUP}/validatingadmissionpolicies", policy)
    binding = {"policyName": "rules", "validationActions": ["Audit"]}
    body = {"metadata": {"name": "bound"}, "spec": binding}
    await post(server, f"{GROUP}/validatingadmissionpolicybindings", body)
    await post(server, f"{GROUP}/validatingwebhookconfigurations", webhook)


def test_annotations_are_in_the_log(tmp_path: Path, serve: Any, configuration: Any) -> None:
    async def story() -> None:
        settings = msgspec.structs.replace(
            settings_of(Instance()), audit_log=tmp_path / "log" / "audit.log"
        )
        server = ApiServer.create(
            MemoryStore(),
            settings=settings,
            signer=TokenSigner(generate_key(), settings.issuer),
            clock=lambda: datetime.now(UTC),
            random=Random(1),
        )
        await server.start()
        answer = {"allowed": True, "auditAnnotations": {"seen": "yes"}}
        try:
            async with serve(lambda _request: answer) as hook:
                await configure(server, configuration(hook.client(), kind="Validating"))
                body = {"metadata": {"name": "one"}, "data": {"a": "1"}}
                await post(server, "/api/v1/namespaces/default/configmaps", body)
        finally:
            await server.close()

    asyncio.run(story())
    lines = (tmp_path / "log" / "audit.log").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    found = [
        it["annotations"]
        for it in events
        if it.get("objectRef", {}).get("resource") == "configmaps" and it.get("annotations")
    ]
    assert found[-1]["rules/keys"] == "1"
    assert "rules/none" not in found[-1]
    assert found[-1]["hooks.example.com/seen"] == "yes"
    (failure,) = json.loads(found[-1]["validation.policy.admission.k8s.io/validation_failure"])
    assert failure == {
        "message": "too few",
        "policy": "rules",
        "binding": "bound",
        "expressionIndex": 0,
        "validationActions": ["Audit"],
    }
