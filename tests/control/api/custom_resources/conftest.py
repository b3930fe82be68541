"""Definitions of custom resources, and how to wait until one is served."""

import asyncio
from collections.abc import Callable
from typing import Any

from tests.control.api.conftest import Api, play, play_sequence

__all__ = ["play", "play_sequence"]

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"
OLD_WIDGETS = "/apis/example.com/v1beta1/namespaces/default/widgets"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1},
                "color": {"type": "string", "default": "red", "enum": ["red", "blue"]},
            },
        },
        "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
    },
}


def version(name: str = "v1", *, storage: bool = True, **more: Any) -> dict[str, Any]:
    """A version of a definition, with the schema above unless told otherwise."""
    schema = {"openAPIV3Schema": SCHEMA}
    return {"name": name, "served": True, "storage": storage, "schema": schema} | more


def definition(*versions: dict[str, Any], plural: str = "widgets", **spec: Any) -> dict[str, Any]:
    kind = plural.removesuffix("s").capitalize()
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": list(versions) or [version()],
            **spec,
        },
    }


def widget(name: str = "a", version: str = "v1", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"example.com/{version}",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": spec or {"size": 1},
    }


def conditions(tree: dict[str, Any]) -> dict[str, tuple[str, str]]:
    found = tree.get("status", {}).get("conditions", ())
    return {it["type"]: (it["status"], it["reason"]) for it in found}


async def until(api: Api, path: str, holds: Callable[[Any], bool]) -> Any:
    """The answer's object as soon as it is as wanted; none for 404."""
    for _ in range(200):
        answer = await api.send("GET", path)
        tree = answer.json if answer.code == 200 else None
        if holds(tree):
            return tree
        await asyncio.sleep(0.01)
    raise AssertionError(f"{path} did not come to be as wanted: {tree}")


def is_established(tree: Any) -> bool:
    return conditions(tree).get("Established", ("",))[0] == "True"


async def define(api: Api, tree: dict[str, Any]) -> Any:
    """Create a definition and wait until its resource is served."""
    await api.create(DEFINITIONS, tree)
    path = f"{DEFINITIONS}/{tree['metadata']['name']}"
    return await until(api, path, is_established)
