"""Two servers over one etcd cluster: each reads what the other has written, at once."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from random import Random

import pytest
from tests.control.api.conftest import Api
from tests.store.conftest import etcd, open_etcd  # noqa: F401 - fixtures

from sampan.control.api.attributes import attributes_of
from sampan.control.api.reading.consistent_reads import must_be_current
from sampan.control.api.server import ApiServer
from sampan.control.api.settings import settings_of
from sampan.foundation.pki.authority import generate_key
from sampan.foundation.pki.tokens import TokenSigner
from sampan.foundation.settings import Instance
from sampan.foundation.wire.message import Request
from sampan.store.contract import Store

PATH = "/api/v1/namespaces/default/configmaps"


async def _api(store: Store) -> Api:
    settings = settings_of(Instance())
    signer = TokenSigner(generate_key(), settings.issuer)
    server = ApiServer.create(
        store, settings=settings, signer=signer, clock=lambda: datetime.now(UTC), random=Random(1)
    )
    await server.start()
    return Api(server, signer, settings)


def play_with_two(open_etcd, root: bytes, story: Callable[[Api, Api], Awaitable[None]]) -> None:  # noqa: F811
    async def main() -> None:
        async with open_etcd(root) as store, open_etcd(root) as other_store:
            one, other = await _api(store), await _api(other_store)
            try:
                await asyncio.wait_for(story(one, other), 60)
            finally:
                await one.server.close()
                await other.server.close()

    asyncio.run(main())


def config_map(name: str, value: str = "") -> dict:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {"key": value},
    }


def test_what_one_server_has_written_the_other_reads(open_etcd) -> None:  # noqa: F811
    async def story(one: Api, other: Api) -> None:
        for number in range(30):
            writer, reader = (one, other) if number % 2 else (other, one)
            name = f"map-{number}"
            made = await writer.create(PATH, config_map(name))
            found = await reader.send("GET", f"{PATH}/{name}")
            assert found.json == made
            listed = (await reader.send("GET", PATH)).json
            assert name in [item["metadata"]["name"] for item in listed["items"]]
            change = {"data": {"key": "changed"}, "metadata": {"labels": {"a": "b"}}}
            patch = {"content-type": "application/merge-patch+json"}
            changed = await reader.send("PATCH", f"{PATH}/{name}", change, headers=patch)
            assert changed.code == 200
            assert (await writer.send("DELETE", f"{PATH}/{name}")).code == 200
            assert (await reader.send("GET", f"{PATH}/{name}")).code == 404

    play_with_two(open_etcd, b"/two", story)


def test_versions_are_those_of_the_cluster(open_etcd) -> None:  # noqa: F811
    async def story(one: Api, other: Api) -> None:
        first = await one.create(PATH, config_map("a"))
        second = await other.create(PATH, config_map("b"))
        versions = [int(it["metadata"]["resourceVersion"]) for it in (first, second)]
        assert versions[1] > versions[0]
        stale = {**first, "data": {"key": "mine"}}
        assert (await other.send("PUT", f"{PATH}/a", stale)).code == 200
        refused = await one.send("PUT", f"{PATH}/a", stale)
        assert (refused.code, refused["reason"]) == (409, "Conflict")
        health = await one.send("GET", "/readyz?verbose")
        assert "[+]datastore ok" in health.json

    play_with_two(open_etcd, b"/versions", story)


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", PATH, True),
        ("GET", f"{PATH}/a", True),
        ("GET", f"{PATH}?watch=true", True),
        ("GET", f"{PATH}?resourceVersion=0", False),
        ("GET", f"{PATH}?resourceVersion=7&watch=true", False),
        ("GET", f"{PATH}?limit=5&continue=abc", False),
        ("DELETE", f"{PATH}/a", True),
        ("POST", PATH, False),
        ("GET", "/version", False),
    ],
)
def test_reads_that_name_a_version_take_what_is_there(
    method: str, target: str, expected: bool
) -> None:
    path, _, query = target.partition("?")
    pairs = tuple((key, value) for key, _, value in (it.partition("=") for it in query.split("&")))
    request = Request(method=method, path=path, query=pairs if query else ())
    assert must_be_current(request, attributes_of(request)) is expected
