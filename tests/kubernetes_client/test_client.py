"""The verbs and their errors, and events."""

import asyncio
from datetime import UTC, datetime

import msgspec
import pytest

from sampan.kubernetes.client.contract import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
)
from sampan.kubernetes.client.events import EventRecorder, ObjectReference
from sampan.kubernetes.kinds.resource import CONFIG_MAPS, EVENTS, NAMESPACES

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


def config_map(name):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


async def until(condition):
    for _ in range(1000):
        if await condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to pass")


def test_refusals_are_errors_of_their_kind(play):
    async def story(client, _wire):
        with pytest.raises(NotFound, match='configmaps "x" not found'):
            await client.get(CONFIG_MAPS, "x", "default")
        made = msgspec.json.decode(await client.create(CONFIG_MAPS, config_map("x"), "default"))
        with pytest.raises(AlreadyExists):
            await client.create(CONFIG_MAPS, config_map("x"), "default")
        await client.patch(CONFIG_MAPS, "x", {"data": {"a": "b"}}, "default")
        with pytest.raises(Conflict):
            await client.update(CONFIG_MAPS, made | {"data": {"a": "c"}}, "default")
        with pytest.raises(Conflict):
            await client.delete(CONFIG_MAPS, "x", "default", uid="another")
        with pytest.raises(Invalid):
            await client.create(CONFIG_MAPS, config_map("-"), "default")
        with pytest.raises(Forbidden):
            await client.delete(NAMESPACES, "default")

    play(story)


def test_a_list_names_its_version(play):
    async def story(client, _wire):
        for name in ("a", "b"):
            await client.create(CONFIG_MAPS, config_map(name), "default")
        listed = await client.list(CONFIG_MAPS, "default", field_selector="metadata.name=b")
        assert len(listed.items) == 1
        events = client.watch(CONFIG_MAPS, "default", resource_version=listed.resource_version)
        await client.delete(CONFIG_MAPS, "a", "default")
        event = await anext(events)
        assert event.type == "DELETED"
        await events.aclose()

    play(story)


def test_an_event_that_repeats_is_counted(play):
    async def story(client, _wire):
        recorder = EventRecorder(client, "tester", lambda: NOW)
        about = ObjectReference("Pod", "web", "v1", namespace="default", uid="u")
        for _ in range(3):
            recorder.record(about, "Warning", "Failed", "it failed")
        recorder.record(about, "Normal", "Started", "it started")

        async def told():
            listed = await client.list(EVENTS, "default")
            events = [msgspec.json.decode(item) for item in listed.items]
            assert all(it["involvedObject"]["apiVersion"] == "v1" for it in events)
            counts = {it["reason"]: it["count"] for it in events}
            return counts == {"Failed": 3, "Started": 1}

        await until(told)
        await recorder.close()

    play(story)
