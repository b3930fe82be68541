"""Informers follow the server through cuts, expiry and objects they cannot read."""

import asyncio

import msgspec
import pytest

from sampan.control.api.cache import resource_cache
from sampan.kubernetes.client.informer import Informer
from sampan.kubernetes.kinds.resource import CONFIG_MAPS
from sampan.kubernetes.machinery.metadata import Metadata


class ConfigMap(msgspec.Struct, frozen=True):
    metadata: Metadata
    data: dict[str, str] = {}


class Numbers(msgspec.Struct, frozen=True):
    metadata: Metadata
    data: dict[str, int] = {}


def config_map(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


async def create(client, name, **data):
    await client.create(CONFIG_MAPS, config_map(name, **data), "default")


async def until(condition):
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to pass")


def test_an_informer_has_what_is_there_and_then_every_change(play):
    async def story(client, _wire):
        await create(client, "a", k="1")
        informer = Informer(client, CONFIG_MAPS, ConfigMap, namespace="default")
        changes = []
        informer.on_change(lambda old, new: changes.append((old and old.data, new and new.data)))
        informer.start()
        await informer.synced.wait()
        assert informer.get("default", "a").data == {"k": "1"}
        await create(client, "b")
        await client.patch(CONFIG_MAPS, "a", {"data": {"k": "2"}}, "default")
        await client.delete(CONFIG_MAPS, "b", "default")
        await until(lambda: len(changes) == 4)
        assert changes == [(None, {"k": "1"}), (None, {}), ({"k": "1"}, {"k": "2"}), ({}, None)]
        assert list(informer.items) == ["default/a"]
        late = []
        informer.on_change(lambda _old, new: late.append(new.metadata.name))
        assert late == ["a"]
        await informer.close()

    play(story)


def beginnings(wire):
    """The watches that began with what is there, as opposed to those that went on."""
    return [it for it in wire.requests if it.parameter("sendInitialEvents")]


def test_a_cut_is_bridged_without_beginning_anew(play):
    async def story(client, wire):
        informer = Informer(client, CONFIG_MAPS, ConfigMap, namespace="default")
        informer.start()
        await informer.synced.wait()
        await create(client, "a")
        await until(lambda: "default/a" in informer.items)
        wire.down = True
        await wire.cut()
        await asyncio.sleep(0.01)
        wire.down = False
        await create(client, "b")
        await until(lambda: "default/b" in informer.items)
        assert len(beginnings(wire)) == 1
        await informer.close()

    play(story)


def test_after_expiry_the_differences_are_reported(play, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resource_cache, "WINDOW_EVENTS", 2)

    async def story(client, wire):
        await create(client, "gone")
        await create(client, "kept")
        informer = Informer(client, CONFIG_MAPS, ConfigMap, namespace="default")
        changes = []
        informer.start()
        await informer.synced.wait()
        informer.on_change(
            lambda old, new: changes.append(
                (old.metadata.name if old else "", new.metadata.name if new else "")
            )
        )
        changes.clear()
        wire.down = True
        await wire.cut()
        wire.down = False
        await client.delete(CONFIG_MAPS, "gone", "default")
        for name in "xyz":
            await create(client, name)
        await until(lambda: len(informer.items) == 4)
        assert changes[0] == ("gone", "")
        assert sorted(changes[1:]) == [("", "x"), ("", "y"), ("", "z")]
        await informer.close()

    play(story)


def test_a_beginning_that_breaks_off_is_begun_anew(play):
    async def story(client, wire):
        for number in range(3):
            await create(client, f"map-{number}")
        wire.lines_until_cut = 2
        informer = Informer(client, CONFIG_MAPS, ConfigMap, namespace="default")
        informer.start()
        await informer.synced.wait()
        assert len(informer.items) == 3
        assert len(beginnings(wire)) == 2
        await informer.close()

    play(story)


def test_a_server_that_can_only_list_is_listed(play):
    async def story(client, wire):
        await create(client, "a")
        wire.refuses_beginnings = True
        informer = Informer(client, CONFIG_MAPS, ConfigMap, namespace="default")
        informer.start()
        await informer.synced.wait()
        await create(client, "b")
        await until(lambda: set(informer.items) == {"default/a", "default/b"})
        assert len(beginnings(wire)) == 1
        await informer.close()

    play(story)


def test_a_server_that_starts_again_is_followed_from_where_it_was_left(play):
    async def story(client, wire):
        await create(client, "a")
        informer = Informer(client, CONFIG_MAPS, ConfigMap, namespace="default")
        changes = []
        informer.start()
        await informer.synced.wait()
        informer.on_change(lambda old, new: changes.append((old, new)))
        changes.clear()
        await wire.restart_server()
        await create(client, "b")
        await until(lambda: "default/b" in informer.items)
        assert [(old, new.metadata.name) for old, new in changes] == [(None, "b")]
        await informer.close()

    play(story)


def test_an_object_that_does_not_fit_hides_no_other(play, caplog: pytest.LogCaptureFixture):
    async def story(client, _wire):
        await create(client, "odd", k="text")
        await create(client, "plain")
        informer = Informer(client, CONFIG_MAPS, Numbers, namespace="default")
        informer.start()
        await informer.synced.wait()
        assert list(informer.items) == ["default/plain"]
        await informer.close()

    play(story)
    assert "can't be read" in caplog.text


def test_a_callback_that_fails_ends_nothing(play):
    async def story(client, _wire):
        problems = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: problems.append(context["exception"]))
        informer = Informer(client, CONFIG_MAPS, ConfigMap, namespace="default")
        informer.on_change(lambda _old, _new: 1 / 0)
        informer.start()
        await informer.synced.wait()
        await create(client, "a")
        await create(client, "b")
        await until(lambda: len(informer.items) == 2)
        assert [type(it) for it in problems] == [ZeroDivisionError] * 2
        await informer.close()

    play(story)
