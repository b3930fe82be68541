"""Plans carried out on an API that refuses, forgets and loses answers."""

import asyncio
from random import Random
from typing import Any

import msgspec
import pytest

from sampan.control.controllers.execution import Executor, Refused
from sampan.control.controllers.plan import (
    Create,
    Delete,
    Get,
    List,
    Patch,
    Reference,
    Report,
)
from sampan.kubernetes.client.contract import AlreadyExists, Conflict, Forbidden, NotFound, RawList
from sampan.kubernetes.kinds.resource import PODS, REPLICA_SETS, Resource
from sampan.testing import virtual_clock

ABOUT = Reference(REPLICA_SETS, "default", "web", "u")


class FakeApi:
    """Keeps objects by name. `lose` answers get lost after the write, `most` may be there."""

    def __init__(self, *, lose: int = 0, most: int = 1000) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.lose = lose
        self.most = most
        self.creates = 0

    def _answer(self, body: dict[str, Any]) -> bytes:
        if self.lose:
            self.lose -= 1
            raise ConnectionError("the answer was lost")
        return msgspec.json.encode(body)

    async def create(
        self, _resource: Resource, body: dict[str, Any], _namespace: str = "", **_: Any
    ) -> bytes:
        self.creates += 1
        await asyncio.sleep(0)
        name = body["metadata"]["name"]
        if name in self.objects:
            raise AlreadyExists({"message": f"{name} already exists"})
        if len(self.objects) >= self.most:
            raise Forbidden({"message": "exceeded quota"})
        metadata = {**body["metadata"], "uid": f"u-{name}", "resourceVersion": "1"}
        self.objects[name] = {**body, "metadata": metadata}
        return self._answer(self.objects[name])

    async def get(self, _resource: Resource, name: str, _namespace: str = "") -> bytes:
        if name not in self.objects:
            raise NotFound({"message": f"{name} not found"})
        return msgspec.json.encode(self.objects[name])

    async def list(self, _resource: Resource, _namespace: str = "") -> RawList:
        return RawList(tuple(map(msgspec.json.encode, self.objects.values())), "1")

    async def patch(
        self, _resource: Resource, name: str, patch: dict[str, Any], *_: Any, **__: Any
    ) -> bytes:
        metadata = self.objects[name]["metadata"]
        if patch["metadata"].get("resourceVersion", "1") != metadata["resourceVersion"]:
            raise Conflict({"message": "the object has been modified"})
        return self._answer(self.objects[name])

    async def delete(self, _resource: Resource, name: str, *_: Any, uid: str, **__: Any) -> bytes:
        if name not in self.objects:
            raise NotFound({"message": f"{name} not found"})
        if self.objects[name]["metadata"]["uid"] != uid:
            raise Conflict({"message": "another uid"})
        return self._answer(self.objects.pop(name))


def pod(owner: str = "u") -> Create:
    owners = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": owner}]
    return Create(
        resource=PODS,
        namespace="default",
        body={"metadata": {"generateName": "web-", "ownerReferences": owners}},
        success=Report(ABOUT, "Normal", "SuccessfulCreate", "Created pod: {name}"),
        failure=Report(ABOUT, "Warning", "FailedCreate", "Error creating: {error}"),
    )


class Told:
    """The reports that were made."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def __call__(self, report: Report, name: str, error: str) -> None:
        self.messages.append(report.message.format(name=name, error=error))


def executor(api: Any, told: Told | None = None) -> Executor:
    return Executor(api, Random(1), told or Told())


def test_a_create_whose_answer_is_lost_is_not_made_twice() -> None:
    api = FakeApi(lose=1)
    writes = virtual_clock.run(executor(api).carry_out([pod()]))
    assert api.creates == 2
    assert [write.head.metadata.name for write in writes if write.head] == list(api.objects)


def test_a_name_that_another_has_is_chosen_anew() -> None:
    api = FakeApi()
    virtual_clock.run(executor(api).carry_out([pod()]))
    virtual_clock.run(executor(api).carry_out([pod()]))
    assert len(api.objects) == 2


def test_the_creates_of_a_plan_start_small_so_that_a_refusal_costs_little() -> None:
    api, told = FakeApi(most=1), Told()
    with pytest.raises(Refused) as refused:
        virtual_clock.run(executor(api, told).carry_out([pod() for _ in range(100)]))
    assert api.creates == 3
    assert isinstance(refused.value.cause, Forbidden)
    assert [write.action.resource for write in refused.value.writes] == [PODS]
    assert told.messages[0] == f"Created pod: {next(iter(api.objects))}"
    assert told.messages[-1] == "Error creating: exceeded quota"


def test_a_refusal_ends_the_plan() -> None:
    api = FakeApi()
    api.objects["a"] = {"metadata": {"name": "a", "uid": "u-a", "resourceVersion": "1"}}
    patch = Patch(resource=PODS, name="a", uid="u-a", resource_version="0", body={})
    with pytest.raises(Refused):
        virtual_clock.run(executor(api).carry_out([patch, pod()]))
    assert list(api.objects) == ["a"]


def test_what_is_gone_already_counts_as_deleted() -> None:
    deletion = Delete(resource=PODS, name="a", uid="u")
    (write,) = virtual_clock.run(executor(FakeApi()).carry_out([deletion]))
    assert write.head is None


def test_questions_are_answered_with_what_the_api_has() -> None:
    api = FakeApi()
    api.objects["a"] = {"metadata": {"name": "a", "uid": "u-a"}}
    reads = (Get(PODS, "a", "default"), Get(PODS, "b", "default"), List(PODS, "default"))
    answers = virtual_clock.run(executor(api).answer(reads))
    assert [len(answers[read]) for read in reads] == [1, 0, 1]
