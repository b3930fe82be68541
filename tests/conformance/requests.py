"""What the tests of conformance send again and again."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from tests.control.api.conftest import Api

Object = dict[str, Any]
MERGE = {"content-type": "application/merge-patch+json"}
STRATEGIC = {"content-type": "application/strategic-merge-patch+json"}
JSON_PATCH = {"content-type": "application/json-patch+json"}
APPLY = {"content-type": "application/apply-patch+yaml"}
DEFAULT = "/api/v1/namespaces/default"
MAPS = f"{DEFAULT}/configmaps"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


class Watched:
    """The events of a watch, as they come."""

    def __init__(self, body: Any) -> None:
        self._body = body
        self._waiting: list[Object] = []

    async def next(self) -> Object:
        while not self._waiting:
            piece = await asyncio.wait_for(anext(self._body), 5)
            self._waiting += [json.loads(line) for line in piece.splitlines()]
        return self._waiting.pop(0)

    async def types(self, count: int) -> list[str]:
        return [(await self.next())["type"] for _ in range(count)]

    async def told(self, count: int) -> list[tuple[str, str]]:
        events = [await self.next() for _ in range(count)]
        return [(it["type"], it["object"]["metadata"]["name"]) for it in events]

    async def close(self) -> None:
        await self._body.aclose()

    async def is_silent(self) -> bool:
        """Whether nothing comes for a while."""
        try:
            async with asyncio.timeout(0.2):
                self._waiting = [await self.next()]
        except TimeoutError:
            return True
        return False


async def watch(api: Api, path: str, **parameters: Any) -> Watched:
    response = await api.open("GET", path, watch="true", **parameters)
    assert response.status == 200, response.body
    return Watched(response.body)


async def read(api: Api, path: str, **parameters: Any) -> Any:
    answer = await api.send("GET", path, **parameters)
    assert answer.code == 200, answer.json
    return answer.json


async def patched(api: Api, path: str, body: Any, headers: dict[str, str] = MERGE) -> Any:
    answer = await api.send("PATCH", path, body, headers=headers)
    assert answer.code == 200, answer.json
    return answer.json


async def updated(api: Api, path: str, body: Any) -> Any:
    answer = await api.send("PUT", path, body)
    assert answer.code == 200, answer.json
    return answer.json


async def deleted(api: Api, path: str, **parameters: Any) -> None:
    answer = await api.send("DELETE", path, **parameters)
    assert answer.code in (200, 202), answer.json


async def until(api: Api, path: str, holds: Callable[[Any], bool]) -> Any:
    """The object as soon as it is as wanted; None stands for one that isn't there."""
    for _ in range(300):
        answer = await api.send("GET", path)
        tree = answer.json if answer.code == 200 else None
        if holds(tree):
            return tree
        await asyncio.sleep(0.01)
    raise AssertionError(f"{path} did not come to be as wanted: {tree}")


def names(listed: Any) -> list[str]:
    return [item["metadata"]["name"] for item in listed["items"]]


def config_map(name: str, **labels: str) -> Object:
    metadata: Object = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def deployment(name: str = "web", replicas: int = 1, **annotations: str) -> Object:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": "hello:1"}]},
            },
        },
    }
