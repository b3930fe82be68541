"""Each request is told of as the policy says, with who asked and what came of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from sampan.control.api.attributes import attributes_of
from sampan.control.api.audit.policy import policy_of
from sampan.control.api.audit.stage import Audit
from sampan.control.api.call import Call
from sampan.control.api.refusal import JSON_HEADERS, Refused
from sampan.foundation.wire.message import Identity, Request, Response
from sampan.kubernetes.machinery import status

NOW = datetime(2026, 11, 23, 12, 0, 0, 5, tzinfo=UTC)
ANN = Identity("ann", ("builders",), "7", {"scopes": ("all",)})
POD = {"kind": "Pod", "metadata": {"name": "a", "managedFields": [{"manager": "me"}]}}


class Lines:
    """The log, in memory."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def write(self, line: bytes) -> None:
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        self.events.append(json.loads(line))


def audit(level: str, **particular: Any) -> tuple[Audit, Lines]:
    tree = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "rules": [{"level": level}],
        **particular,
    }
    lines = Lines()
    return Audit(policy_of(tree), lines, lambda: NOW, Random(1)), lines  # type: ignore[arg-type]


def call(**particular: Any) -> Call:
    request = Request(
        method="POST",
        path="/api/v1/namespaces/shop/pods",
        query=(("fieldManager", "me"),),
        headers={"user-agent": "kubectl/v1.37", "content-type": "application/json"},
        body=json.dumps(POD).encode(),
        peer_address="127.0.0.1",
        **particular,
    )
    return Call(request, attributes_of(request), ANN)


async def created(_call: Call) -> Response:
    return Response(status=201, headers=JSON_HEADERS, body=json.dumps(POD).encode())


def test_metadata_says_who_did_what_and_shows_no_body() -> None:
    stage, lines = audit("Metadata", omitStages=["RequestReceived"])
    response = asyncio.run(stage(call(), created))
    (event,) = lines.events
    assert response.headers["Audit-Id"] == event.pop("auditID")
    assert event == {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/shop/pods?fieldManager=me",
        "verb": "create",
        "user": {
            "username": "ann",
            "uid": "7",
            "groups": ["builders"],
            "extra": {"scopes": ["all"]},
        },
        "sourceIPs": ["127.0.0.1"],
        "userAgent": "kubectl/v1.37",
        "objectRef": {"resource": "pods", "namespace": "shop", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 201},
        "requestReceivedTimestamp": "2026-11-23T12:00:00.000005Z",
        "stageTimestamp": "2026-11-23T12:00:00.000005Z",
    }
    assert "Audit-Id" not in JSON_HEADERS


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("Metadata", set()),
        ("Request", {"requestObject"}),
        ("RequestResponse", {"requestObject", "responseObject"}),
    ],
)
def test_bodies_are_shown_by_level(level: str, shown: set[str]) -> None:
    stage, lines = audit(level, omitManagedFields=True)
    asyncio.run(stage(call(), created))
    received, complete = lines.events
    assert received["stage"] == "RequestReceived"
    assert {key for key in complete if key.endswith("Object")} == shown
    for key in shown:
        assert complete[key] == {"kind": "Pod", "metadata": {"name": "a"}}


def test_none_tells_nothing() -> None:
    stage, lines = audit("None")
    response = asyncio.run(stage(call(), created))
    assert lines.events == []
    assert "Audit-Id" not in response.headers


def test_a_refusal_is_told_with_its_reason() -> None:
    async def refuse(_call: Call) -> Response:
        raise Refused(status.bad_request("no"))

    stage, lines = audit("Metadata")
    with pytest.raises(Refused) as refused:
        asyncio.run(stage(call(), refuse))
    assert refused.value.headers["Audit-Id"] == lines.events[-1]["auditID"]
    assert lines.events[-1]["responseStatus"]["reason"] == "BadRequest"
    assert lines.events[-1]["responseStatus"]["code"] == 400


def test_what_nobody_foresaw_is_told_as_panic() -> None:
    async def fail(_call: Call) -> Response:
        raise ZeroDivisionError

    stage, lines = audit("Metadata")
    with pytest.raises(ZeroDivisionError):
        asyncio.run(stage(call(), fail))
    assert [event["stage"] for event in lines.events] == ["RequestReceived", "Panic"]


def test_who_acts_as_somebody_else_is_told_with_both() -> None:
    async def impersonate(inner: Call) -> Response:
        inner.identity = Identity("bob")
        inner.annotations["authorization.k8s.io/decision"] = "allow"
        return Response()

    stage, lines = audit("Metadata")
    asyncio.run(stage(call(), impersonate))
    event = lines.events[-1]
    assert event["user"]["username"] == "ann"
    assert event["impersonatedUser"] == {"username": "bob"}
    assert event["annotations"] == {"authorization.k8s.io/decision": "allow"}


def test_a_request_without_a_valid_identity_is_told() -> None:
    async def unauthorized(_call: Call) -> Response:
        raise Refused(status.unauthorized())

    stage, lines = audit("Metadata")
    unknown = call()
    unknown.identity = Call(unknown.request, unknown.attributes).identity
    with pytest.raises(Refused):
        asyncio.run(stage.unauthenticated(unknown, unauthorized))
    (event,) = lines.events
    assert event["user"]["username"] == "system:anonymous"
    assert event["responseStatus"]["code"] == 401


@pytest.mark.parametrize("hangs_up", [False, True])
def test_a_stream_is_told_of_when_it_begins_and_when_it_ends(hangs_up: bool) -> None:
    closed = []

    class Body:
        def __init__(self) -> None:
            self.left = 2

        def __aiter__(self) -> "Body":
            return self

        async def __anext__(self) -> bytes:
            if not self.left:
                raise StopAsyncIteration
            self.left -= 1
            return b"x"

        async def aclose(self) -> None:
            closed.append(True)

    async def stream(_call: Call) -> Response:
        return Response(body=Body())

    async def story() -> None:
        stage, lines = audit("Metadata", omitStages=["RequestReceived"])
        response = await stage(call(), stream)
        assert [event["stage"] for event in lines.events] == ["ResponseStarted"]
        assert isinstance(response.body, AsyncIterator)
        if hangs_up:
            await response.body.aclose()  # type: ignore[attr-defined]
        else:
            assert [piece async for piece in response.body] == [b"x", b"x"]
        stages = [event["stage"] for event in lines.events]
        assert stages == ["ResponseStarted", "ResponseComplete"]
        assert closed == ([True] if hangs_up else [])

    asyncio.run(story())


def test_a_client_may_name_the_request_but_not_for_long() -> None:
    stage, lines = audit("Metadata")
    named = call()
    named.request.headers["audit-id"] = "x" * 1000
    asyncio.run(stage(named, created))
    assert lines.events[-1]["auditID"] == "x" * 64
