"""Watches: every change once, in order, whatever happens between."""

import asyncio
import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.control.api.conftest import play_restarts
from tests.control.api.watch_frames import Frames

from sampan.control.api.cache import resource_cache, watcher
from sampan.control.api.protobuf import envelope
from sampan.store.contract import Compacted, SlowWatcher
from sampan.store.memory import MemoryStore
from sampan.store.sqlite import SqliteStore

MAPS = "/api/v1/namespaces/default/configmaps"
MERGE = {"content-type": "application/merge-patch+json"}


def config_map(name, **labels):
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


class Stream:
    """The events of one watch, as they come."""

    def __init__(self, body):
        self.body = body
        self.waiting = []

    async def next(self):
        while not self.waiting:
            piece = await asyncio.wait_for(anext(self.body), 5)
            self.waiting += [json.loads(line) for line in piece.splitlines()]
        return self.waiting.pop(0)

    async def told(self, count):
        events = [await self.next() for _ in range(count)]
        return [(it["type"], it["object"]["metadata"].get("name", "")) for it in events]


async def watch(api, path=MAPS, **parameters):
    response = await api.open("GET", path, watch="true", **parameters)
    assert response.status == 200, response.body
    return Stream(response.body)


async def label(api, name, value):
    patch = {"metadata": {"labels": {"app": value}}}
    answer = await api.send("PATCH", f"{MAPS}/{name}", patch, headers=MERGE)
    assert answer.code == 200


def test_a_watch_from_a_list_sees_what_follows(play):
    async def story(api):
        await api.create(MAPS, config_map("a"))
        version = (await api.send("GET", MAPS))["metadata"]["resourceVersion"]
        await api.create(MAPS, config_map("b"))
        stream = await watch(api, resourceVersion=version)
        await label(api, "b", "x")
        await api.send("DELETE", f"{MAPS}/a")
        assert await stream.told(3) == [("ADDED", "b"), ("MODIFIED", "b"), ("DELETED", "a")]

    play(story)


def test_a_deleted_event_has_the_version_of_the_deletion(play):
    async def story(api):
        made = await api.create(MAPS, config_map("a"))
        stream = await watch(api, resourceVersion=made["metadata"]["resourceVersion"])
        await api.send("DELETE", f"{MAPS}/a")
        event = await stream.next()
        deleted = int(event["object"]["metadata"]["resourceVersion"])
        assert deleted > int(made["metadata"]["resourceVersion"])

    play(story)


def test_objects_enter_and_leave_a_selector(play):
    async def story(api):
        await api.create(MAPS, config_map("a", app="no"))
        version = (await api.send("GET", MAPS))["metadata"]["resourceVersion"]
        stream = await watch(api, resourceVersion=version, labelSelector="app=yes")
        await label(api, "a", "yes")
        await label(api, "a", "no")
        await api.create(MAPS, config_map("b", app="yes"))
        await api.send("DELETE", f"{MAPS}/a")
        await api.send("DELETE", f"{MAPS}/b")
        assert await stream.told(4) == [
            ("ADDED", "a"),
            ("DELETED", "a"),
            ("ADDED", "b"),
            ("DELETED", "b"),
        ]

    play(story)


def test_initial_events_end_in_a_bookmark(play):
    async def story(api):
        for name in ("a", "b"):
            await api.create(MAPS, config_map(name))
        stream = await watch(
            api,
            sendInitialEvents="true",
            allowWatchBookmarks="true",
            resourceVersionMatch="NotOlderThan",
        )
        assert await stream.told(2) == [("ADDED", "a"), ("ADDED", "b")]
        bookmark = await stream.next()
        assert bookmark["type"] == "BOOKMARK"
        annotations = bookmark["object"]["metadata"]["annotations"]
        assert annotations == {"k8s.io/initial-events-end": "true"}
        await api.create(MAPS, config_map("c"))
        assert await stream.told(1) == [("ADDED", "c")]

    play(story)


def test_without_a_version_a_watch_begins_with_what_is_there(play):
    async def story(api):
        await api.create(MAPS, config_map("a"))
        stream = await watch(api)
        assert await stream.told(1) == [("ADDED", "a")]

    play(story)


def test_a_version_that_is_too_old_has_expired(play, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resource_cache, "WINDOW_EVENTS", 3)

    async def story(api):
        for name in "abcdef":
            await api.create(MAPS, config_map(name))
        stream = await watch(api, resourceVersion="1")
        event = await stream.next()
        assert event["type"] == "ERROR"
        assert event["object"]["code"] == 410
        assert event["object"]["reason"] == "Expired"
        with pytest.raises(StopAsyncIteration):
            await stream.next()

    play(story)


def test_a_slow_watcher_is_cut_off_and_the_others_go_on(play, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watcher, "QUEUE_EVENTS", 4)

    async def story(api):
        version = (await api.send("GET", MAPS))["metadata"]["resourceVersion"]
        slow = await watch(api, resourceVersion=version)
        quick = await watch(api, resourceVersion=version)
        for name in "abcdef":
            await api.create(MAPS, config_map(name))
            assert await quick.told(1) == [("ADDED", name)]
        event = await slow.next()
        assert event["type"] == "ERROR"
        assert event["object"]["code"] == 410
        with pytest.raises(StopAsyncIteration):
            await slow.next()

    play(story)


def test_a_watch_ends_when_its_time_is_over(play):
    async def story(api):
        version = (await api.send("GET", MAPS))["metadata"]["resourceVersion"]
        stream = await watch(api, resourceVersion=version, timeoutSeconds=1)
        with pytest.raises(StopAsyncIteration):
            await stream.next()

    play(story)


def test_a_watch_whose_client_left_is_forgotten(play):
    async def story(api):
        stream = await watch(api)
        metrics = await api.send("GET", "/metrics")
        assert 'apiserver_registered_watchers{resource="configmaps"} 1' in metrics.json
        await stream.body.aclose()
        metrics = await api.send("GET", "/metrics")
        assert 'apiserver_registered_watchers{resource="configmaps"} 0' in metrics.json

    play(story)


def test_tables_are_watched_as_rows(play):
    async def story(api):
        stream = await watch(
            api, headers={"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
        )
        for name in ("a", "b"):
            await api.create(MAPS, config_map(name))
        first, second = await stream.next(), await stream.next()
        assert first["object"]["kind"] == "Table"
        assert first["object"]["columnDefinitions"]
        assert second["object"]["columnDefinitions"] == []
        assert second["object"]["rows"][0]["cells"][0] == "b"

    play(story)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("put", "put", "put", "delete", "watch", "resume", "restart", "compact")),
        st.sampled_from("abcd"),
        st.sampled_from(("yes", "no")),
    ),
    min_size=1,
    max_size=30,
)


class Follower:
    """A client that lists, watches a selector, and keeps a copy of what it was told."""

    accept = "application/json"
    reader = Stream

    def __init__(self, api, patience):
        self.api = api
        self.patience = patience
        self.copy = {}
        self.version = ""
        self.stream = None

    async def begin(self):
        listed = await self.api.send("GET", MAPS, labelSelector="app=yes")
        self.copy = {
            it["metadata"]["name"]: it["metadata"]["resourceVersion"] for it in listed["items"]
        }
        self.version = listed["metadata"]["resourceVersion"]
        await self.resume()

    async def resume(self):
        response = await self.api.open(
            "GET",
            MAPS,
            headers={"accept": self.accept},
            watch="true",
            labelSelector="app=yes",
            resourceVersion=self.version,
        )
        assert response.status == 200
        self.stream = self.reader(response.body)

    async def catch_up(self):
        """Take in everything that has been delivered so far."""
        while True:
            try:
                async with asyncio.timeout(self.patience):
                    event = await self.stream.next()
            except TimeoutError:
                return
            except StopAsyncIteration:
                await self.resume()
                continue
            if event["type"] == "ERROR":
                assert event["object"]["code"] == 410
                await self.begin()
                continue
            metadata = event["object"]["metadata"]
            assert int(metadata["resourceVersion"]) > int(self.version)
            self.version = metadata["resourceVersion"]
            known = metadata["name"] in self.copy
            assert known is (event["type"] != "ADDED")
            if event["type"] == "DELETED":
                del self.copy[metadata["name"]]
            else:
                self.copy[metadata["name"]] = metadata["resourceVersion"]


class ProtobufFollower(Follower):
    accept = envelope.CONTENT_TYPE
    reader = Frames


async def interleaved(restart, store, steps, patience=0.001):
    """Do the steps, and compare at the end what followers were told with what is there."""
    api = await restart()
    followers = []
    for verb, name, value in steps:
        if verb == "put":
            answer = await api.send("POST", MAPS, config_map(name, app=value))
            if answer.code == 409:
                await label(api, name, value)
        elif verb == "delete":
            await api.send("DELETE", f"{MAPS}/{name}")
        elif verb == "watch" and len(followers) < 3:
            followers.append((Follower, ProtobufFollower)[len(followers) % 2](api, patience))
            await followers[-1].begin()
        elif verb == "resume":
            for follower in followers:
                await follower.catch_up()
                await follower.stream.body.aclose()
                await follower.resume()
        elif verb == "compact":
            await store.compact(await store.revision())
        elif verb == "restart":
            api = await restart()
            for follower in followers:
                follower.api = api
    listed = await api.send("GET", MAPS, labelSelector="app=yes")
    truth = {it["metadata"]["name"]: it["metadata"]["resourceVersion"] for it in listed["items"]}
    for follower in followers:
        await follower.catch_up()
        assert follower.copy == truth


@settings(max_examples=40, deadline=None)
@given(steps=STEPS)
def test_watches_agree_with_lists(play_sequence, steps):
    async def story(restart, store):
        await interleaved(restart, store, steps)

    play_sequence(story, MemoryStore())


def test_watches_agree_with_lists_over_sqlite(tmp_path):
    random = Random(7)
    verbs = ("put", "put", "put", "delete", "watch", "resume", "restart", "compact")
    steps = [("watch", "a", "yes")] + [
        (random.choice(verbs), random.choice("abcd"), random.choice(("yes", "no")))
        for _ in range(60)
    ]

    async def story():
        store = await SqliteStore.open(tmp_path / "store.db")

        async def run(restart, store):
            await interleaved(restart, store, steps, patience=0.1)

        try:
            await play_restarts(run, store)
        finally:
            await store.close()

    asyncio.run(asyncio.wait_for(story(), 60))


class Forgetful(MemoryStore):
    """A store whose next watch finds a gap in the history."""

    gap = False

    def watch(self, prefix, *, after):
        if self.gap:
            self.gap = False
            return self._broken()
        self.latest = super().watch(prefix, after=after)
        return self.latest

    async def _broken(self):
        raise Compacted(1, 2)
        yield


def test_a_gap_in_the_history_is_bridged(play):
    store = Forgetful()

    async def story(api):
        for name in ("kept", "gone"):
            await api.create(MAPS, config_map(name))
        stream = await watch(api)
        await stream.told(2)
        store.gap = True
        store.latest.end(SlowWatcher("cut off"))
        prefix = b"/core/configmaps/default/"
        await store.delete(prefix + b"gone")
        entry = await store.get(prefix + b"kept")
        await store.put(prefix + b"kept", entry.value.replace(b"kept", b"kept", 1))
        await asyncio.sleep(1)
        assert sorted(await stream.told(2)) == [("DELETED", "gone"), ("MODIFIED", "kept")]
        await api.create(MAPS, config_map("new"))
        assert await stream.told(1) == [("ADDED", "new")]

    play(story, store)
