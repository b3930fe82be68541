"""Events last an hour after they were last written."""

import asyncio

EVENTS = "/api/v1/namespaces/default/events"
MERGE = {"content-type": "application/merge-patch+json"}


def event(name):
    return {
        "metadata": {"name": name},
        "involvedObject": {"kind": "Pod", "name": "web", "namespace": "default"},
        "reason": "Started",
        "message": "it started",
        "type": "Normal",
    }


def test_events_expire_when_nobody_repeats_them(play):
    async def story(api):
        for name in ("once", "again"):
            await api.create(EVENTS, event(name))
        await asyncio.sleep(3000)
        await api.send("PATCH", f"{EVENTS}/again", {"count": 2}, headers=MERGE)
        await asyncio.sleep(1000)
        left = await api.send("GET", EVENTS)
        assert [it["metadata"]["name"] for it in left["items"]] == ["again"]
        await asyncio.sleep(3000)
        assert (await api.send("GET", EVENTS))["items"] == []

    play(story)
