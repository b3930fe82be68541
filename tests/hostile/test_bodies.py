"""Bodies that want to be more than they are (32), patterns that never end (41)."""

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from tests.control.api.conftest import Api
from tests.control.api.custom_resources.conftest import (
    DEFINITIONS,
    WIDGETS,
    define,
    definition,
    version,
    widget,
)

Play = Callable[..., None]
MAPS = "/api/v1/namespaces/default/configmaps"
LEVELS = 10_000
MOST_BYTES = 100 << 20
PATIENCE_SECONDS = 5.0
FREE = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}


def deep_json(key: bytes) -> bytes:
    return b'{"%b":' % key * LEVELS + b"1" + b"}" * LEVELS


DEEP_LIST = b'{"spec":' + b"[" * LEVELS + b"]" * LEVELS + b"}"
DEEP_YAML = b"spec: " + b"[" * LEVELS + b"]" * LEVELS
ALIASES = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"\n".join(
    b"%c: &%c [%b]" % (letter, letter, b",".join([b"*%c" % (letter - 1)] * 9))
    for letter in range(ord("b"), ord("k"))
)
ENDLESS_NUMBER = b'{"data":{"a":1' + b"0" * 1_000_000 + b"}}"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/yaml",
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
        "application/apply-patch+yaml",
    ],
)
def test_bombs_are_refused_in_bounded_time_and_memory(play: Play, content_type: str) -> None:
    bodies = [deep_json(b"metadata"), deep_json(b"a"), DEEP_LIST, ENDLESS_NUMBER]
    if "yaml" in content_type:
        bodies += [DEEP_YAML, ALIASES]
    if "json-patch" in content_type:
        bodies = [b"[" * LEVELS, b'[{"op":"add","path":"/data","value":%b}]' % deep_json(b"a")]

    async def story(api: Api) -> None:
        await api.create(MAPS, {"metadata": {"name": "x"}})
        before = (await api.send("GET", f"{MAPS}/x")).json
        is_patch = "patch" in content_type
        method, path = ("PATCH", f"{MAPS}/x") if is_patch else ("POST", MAPS)
        tracemalloc.start()
        try:
            for body in bodies:
                began = time.monotonic()
                headers = {"content-type": content_type}
                answer = await api.send(method, path, body, headers=headers, fieldManager="me")
                assert answer.code in (400, 413, 422), (answer.code, body[:40])
                assert answer["kind"] == "Status"
                assert len(answer.raw) < 20_000
                assert time.monotonic() - began < PATIENCE_SECONDS
            assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
        finally:
            tracemalloc.stop()
        assert (await api.send("GET", f"{MAPS}/x")).json == before
        assert len((await api.send("GET", MAPS))["items"]) == 1

    play(story, in_real_time=True)


def test_what_takes_anything_takes_no_endless_depth(play: Play) -> None:
    async def story(api: Api) -> None:
        await define(api, definition(version(schema=FREE)))
        head = b'{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"a"},"spec":'
        answer = await api.send("POST", WIDGETS, head + deep_json(b"a") + b"}")
        assert answer.code == 400
        deletion = await api.send("DELETE", f"{WIDGETS}/a", deep_json(b"preconditions"))
        assert deletion.code in (400, 404)

    play(story, in_real_time=True)


def test_a_pattern_of_a_schema_takes_linear_time(play: Play) -> None:
    text = {"type": "string", "pattern": "^(a+)+$"}
    spec = {"type": "object", "properties": {"text": text}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}

    async def story(api: Api) -> None:
        await define(api, definition(version(schema=schema)))
        began = time.monotonic()
        answer = await api.send("POST", WIDGETS, widget(text="a" * 50_000 + "!"))
        assert answer.code == 422
        assert time.monotonic() - began < PATIENCE_SECONDS

    play(story, in_real_time=True)


def test_expressions_without_end_are_refused_with_their_definition(play: Play) -> None:
    rule = "self.all(a, self.all(b, self.all(c, self.all(d, a + b + c + d != 'x'))))"
    items: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
    items["x-kubernetes-validations"] = [{"rule": rule}]
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": items}}}

    async def story(api: Api) -> None:
        answer = await api.send("POST", DEFINITIONS, definition(version(schema=schema)))
        assert (answer.code, answer["reason"]) == (422, "Invalid")
        assert "estimated rule cost" in answer["message"]

    play(story, in_real_time=True)
