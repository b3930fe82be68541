"""How a node makes itself known and shows that it is alive."""

import asyncio
import json

import msgspec
import pytest

from sampan.kubernetes.client.contract import AlreadyExists, NotFound
from sampan.node import node_object
from sampan.node.cluster_view import Node
from sampan.node.node_object import Readiness
from sampan.node.registration import Registration


class NodesAndLeases:
    """The part of an API that a registration uses."""

    def __init__(self):
        self.objects = {}
        self.reachable = True
        self.renewals = []
        self.statuses = []

    def _check(self):
        if not self.reachable:
            raise ConnectionError("no server")

    async def create(self, resource, body, namespace="", **_options):
        self._check()
        key = (resource.plural, body["metadata"]["name"])
        if key in self.objects:
            raise AlreadyExists({"code": 409})
        self.objects[key] = body
        if resource.plural == "leases":
            self.renewals.append(asyncio.get_running_loop().time())
        return b"{}"

    async def patch(self, resource, name, patch, namespace="", subresource=""):
        self._check()
        if (resource.plural, name) not in self.objects:
            raise NotFound({"code": 404})
        if subresource == "status":
            self.statuses.append(patch["status"])
        elif resource.plural == "leases":
            self.renewals.append(asyncio.get_running_loop().time())
        return b"{}"

    def ready(self):
        return next(item for item in self.statuses[-1]["conditions"] if item["type"] == "Ready")


@pytest.fixture
def registering(on_node):
    """A registration that runs while its story is told."""

    def tell(story):
        async def whole(node):
            api = NodesAndLeases()
            registration = Registration(api, node.settings(), node.clock)
            await registration.register()
            tasks = [
                asyncio.create_task(registration.keep_lease()),
                asyncio.create_task(registration.keep_status()),
            ]
            try:
                await story(api, registration)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

        on_node(whole)

    return tell


def test_a_node_registers_with_its_labels_and_is_not_ready_yet(registering):
    async def story(api, _registration):
        await asyncio.sleep(3.01)
        labels = api.objects["nodes", "node-1"]["metadata"]["labels"]
        assert labels["kubernetes.io/hostname"] == "node-1"
        assert "node-role.kubernetes.io/control-plane" in labels
        assert api.ready()["status"] == "False"
        assert api.ready()["reason"] == "KubeletNotReady"
        assert api.statuses[-1]["capacity"] == {"cpu": "2", "memory": "4194304Ki", "pods": "110"}
        assert api.statuses[-1]["daemonEndpoints"] == {"kubeletEndpoint": {"Port": 10250}}

    registering(story)


def test_a_restart_does_not_call_a_ready_node_unready(registering):
    async def story(api, registration):
        registration.node_changed(_node("True"))
        await asyncio.sleep(2)
        assert api.statuses == []
        registration.set_readiness(Readiness(True))
        await asyncio.sleep(10)
        assert [api.ready()["status"] for _ in api.statuses] == ["True"]

    registering(story)


def test_readiness_is_told_at_once(registering):
    async def story(api, registration):
        await asyncio.sleep(0.01)
        registration.set_readiness(Readiness(True))
        await asyncio.sleep(0.01)
        assert api.ready()["status"] == "True"

    registering(story)


def test_the_lease_is_renewed_every_second(registering):
    async def story(api, _registration):
        await asyncio.sleep(5.5)
        assert api.renewals == pytest.approx([0, 1, 2, 3, 4, 5])
        assert api.objects["leases", "node-1"]["spec"]["leaseDurationSeconds"] == 4

    registering(story)


def test_the_status_is_written_every_five_minutes_only(registering):
    async def story(api, _registration):
        await asyncio.sleep(899)
        assert len(api.statuses) == 3

    registering(story)


def test_a_server_that_is_away_is_asked_again(registering):
    async def story(api, registration):
        await asyncio.sleep(0.5)
        api.reachable = False
        registration.set_readiness(Readiness(True))
        await asyncio.sleep(10)
        api.reachable = True
        await asyncio.sleep(1)
        assert api.ready()["status"] == "True"
        assert api.renewals[-1] >= 10.5

    registering(story)


def test_a_node_that_was_deleted_registers_again(registering):
    async def story(api, registration):
        await asyncio.sleep(0.5)
        del api.objects["nodes", "node-1"]
        registration.node_changed(None)
        await asyncio.sleep(0.5)
        assert ("nodes", "node-1") in api.objects

    registering(story)


def test_a_ready_condition_that_another_took_away_is_given_back(registering):
    async def story(api, registration):
        registration.set_readiness(Readiness(True))
        await asyncio.sleep(0.5)
        before = len(api.statuses)
        registration.node_changed(_node("Unknown"))
        await asyncio.sleep(0.5)
        assert len(api.statuses) == before + 1
        registration.node_changed(_node("True"))
        await asyncio.sleep(0.5)
        assert len(api.statuses) == before + 1

    registering(story)


def _node(ready):
    raw = {
        "metadata": {"name": "node-1"},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }
    return msgspec.json.decode(json.dumps(raw), type=Node)


def test_conditions_keep_the_time_of_their_last_change():
    held = _node("True").status.conditions
    old = msgspec.structs.replace(held[0], last_transition_time="2026-01-01T00:00:00Z")
    same = node_object.conditions(Readiness(True), (old,), 2e9)[-1]
    assert same["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    other = node_object.conditions(Readiness(False, "why"), (old,), 2e9)[-1]
    assert other["lastTransitionTime"] != "2026-01-01T00:00:00Z"
    assert other["message"] == "why"
