"""What a client can ask beyond the plain verbs: apply, scale, pages, beginnings, dry runs."""

import msgspec
import pytest

from sampan.control.api.cache import resource_cache
from sampan.kubernetes.client.contract import Conflict, Expired, NotFound
from sampan.kubernetes.kinds.resource import CONFIG_MAPS, DEPLOYMENTS, PODS, SERVICE_ACCOUNTS
from sampan.testing import objects


def config_map(name, labels=None, **data):
    metadata = {"name": name} | ({"labels": labels} if labels else {})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def tree(raw):
    return msgspec.json.decode(raw)


async def names(client, **options):
    listed = await client.list(CONFIG_MAPS, "default", **options)
    return [tree(it)["metadata"]["name"] for it in listed.items]


async def create(client, *wanted, **labels):
    for name in wanted:
        await client.create(CONFIG_MAPS, config_map(name, labels), "default")


def test_apply_owns_fields_and_meets_conflicts(play):
    async def story(client, _wire):
        async def apply(manager, value, **options):
            body = config_map("shared", key=value)
            return tree(
                await client.apply(CONFIG_MAPS, body, "default", field_manager=manager, **options)
            )

        made = await apply("one", "1")
        assert made["metadata"]["managedFields"][0]["operation"] == "Apply"
        with pytest.raises(Conflict, match='conflict with "one"') as refusal:
            await apply("two", "2")
        causes = refusal.value.status["details"]["causes"]
        assert [it["field"] for it in causes] == [".data.key"]
        assert (await apply("two", "2", force=True, dry_run=True))["data"] == {"key": "2"}
        assert tree(await client.get(CONFIG_MAPS, "shared", "default"))["data"] == {"key": "1"}
        taken = await apply("two", "2", force=True)
        assert taken["data"] == {"key": "2"}
        assert [it["manager"] for it in taken["metadata"]["managedFields"]] == ["two"]

    play(story)


def test_scale_and_status_are_subresources(play):
    async def story(client, _wire):
        await client.create(DEPLOYMENTS, objects.deployment(replicas=1), "default")
        where = (DEPLOYMENTS, "web")
        await client.patch(*where, {"spec": {"replicas": 3}}, "default", subresource="scale")
        scale = tree(await client.get(*where, "default", subresource="scale"))
        assert (scale["kind"], scale["spec"]["replicas"]) == ("Scale", 3)
        told = await client.update(
            DEPLOYMENTS, {**scale, "spec": {"replicas": 2}}, "default", subresource="scale"
        )
        assert tree(told)["spec"]["replicas"] == 2
        change = {"spec": {"replicas": 9}, "status": {"observedGeneration": 7}}
        changed = tree(await client.patch(*where, change, "default", subresource="status"))
        assert (changed["spec"]["replicas"], changed["status"]["observedGeneration"]) == (2, 7)
        managers = {it["manager"] for it in changed["metadata"]["managedFields"]}
        assert managers == {"teller"}

    play(story)


def test_subresources_that_are_made(play):
    async def story(client, _wire):
        await client.create(
            SERVICE_ACCOUNTS,
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}},
            "default",
        )
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        told = await client.create(
            SERVICE_ACCOUNTS, asked, "default", subresource="token", name="robot"
        )
        assert tree(told)["status"]["token"].count(".") == 2
        with pytest.raises(NotFound):
            await client.get(PODS, "absent", "default", subresource="status")

    play(story)


def test_a_list_comes_in_pages(play):
    async def story(client, _wire):
        await create(client, "a", "b", "c")
        page = await client.list(CONFIG_MAPS, "default", limit=2)
        assert len(page.items) == 2
        assert page.continue_token
        await create(client, "d")
        rest = await client.list(
            CONFIG_MAPS, "default", limit=2, continue_token=page.continue_token
        )
        assert [tree(it)["metadata"]["name"] for it in rest.items] == ["c"]
        assert not rest.continue_token
        assert rest.resource_version == page.resource_version

    play(story)


def test_a_watch_begins_with_what_is_there(play):
    async def story(client, _wire):
        await create(client, "a", "b", app="web")
        await create(client, "c")
        events = client.watch(CONFIG_MAPS, "default", resource_version="", label_selector="app=web")
        first = [await anext(events) for _ in range(3)]
        assert [it.type for it in first] == ["ADDED", "ADDED", "BOOKMARK"]
        assert [it.ends_initial for it in first] == [False, False, True]
        version = tree(first[-1].object)["metadata"]["resourceVersion"]
        await client.delete(CONFIG_MAPS, "b", "default")
        assert (await anext(events)).type == "DELETED"
        await events.aclose()
        again = client.watch(CONFIG_MAPS, "default", resource_version=version)
        assert tree((await anext(again)).object)["metadata"]["name"] == "b"
        await again.aclose()

    play(story)


def test_a_version_that_is_gone_is_told_as_expired(play, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resource_cache, "WINDOW_EVENTS", 2)

    async def story(client, _wire):
        await create(client, "a", "b", "c", "d")
        events = client.watch(CONFIG_MAPS, "default", resource_version="1")
        with pytest.raises(Expired):
            await anext(events)

    play(story)


def test_a_collection_is_deleted_as_far_as_it_matches(play):
    async def story(client, _wire):
        await create(client, "a", "b", app="web")
        await create(client, "c")
        gone = {"label_selector": "app=web"}
        await client.delete_collection(CONFIG_MAPS, "default", dry_run=True)
        assert await names(client) == ["a", "b", "c"]
        await client.delete_collection(CONFIG_MAPS, "default", **gone, propagation="Background")
        assert await names(client) == ["c"]

    play(story)


def test_a_dry_run_leaves_nothing(play):
    async def story(client, _wire):
        await client.create(CONFIG_MAPS, config_map("a"), "default", dry_run=True)
        assert await names(client) == []
        made = tree(await client.create(CONFIG_MAPS, config_map("a", k="1"), "default"))
        await client.update(CONFIG_MAPS, made | {"data": {}}, "default", dry_run=True)
        await client.patch(CONFIG_MAPS, "a", {"data": {"k": "2"}}, "default", dry_run=True)
        await client.delete(CONFIG_MAPS, "a", "default", dry_run=True)
        assert tree(await client.get(CONFIG_MAPS, "a", "default")) == made

    play(story)


def test_a_manager_is_named(play):
    async def story(client, _wire):
        made = tree(
            await client.create(CONFIG_MAPS, config_map("a", k="1"), "default", field_manager="me")
        )
        assert [it["manager"] for it in made["metadata"]["managedFields"]] == ["me"]

    play(story)
