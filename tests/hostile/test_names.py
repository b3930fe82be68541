"""Names that lead elsewhere (38), and signs that terminals obey (42)."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.control.api.conftest import Api
from tests.fuzz.drawn_requests import seeds

Play = Callable[..., None]
EVENTS = "/api/v1/namespaces/default/events"
MAPS = "/api/v1/namespaces/default/configmaps"
PATHS = ("../x", "..", ".", "a/b", "a%2fb")
CONTROLS = ("a\0b", "a\nb", "a\x1b[31mb", "a\x7fb", "a\u202eb", "a\u2028b")


@pytest.mark.parametrize("name", PATHS + CONTROLS)
def test_no_kind_takes_such_a_name(play: Play, name: str) -> None:
    async def story(api: Api) -> None:
        account = {"metadata": {"name": "default"}}
        await api.create("/api/v1/namespaces/default/serviceaccounts", account)
        for path, body in seeds():
            before = len((await api.send("GET", path))["items"])
            spoiled: dict[str, Any] = {**body, "metadata": {"name": name}}
            answer = await api.send("POST", path, spoiled)
            assert answer.code in (400, 422), (path, answer.code)
            assert min(answer.raw) >= ord(" "), path
            assert len((await api.send("GET", path))["items"]) == before

    play(story)


@pytest.mark.parametrize("field", ["generateName", "namespace"])
def test_no_other_part_of_the_metadata_takes_them(play: Play, field: str) -> None:
    async def story(api: Api) -> None:
        for name in PATHS + CONTROLS:
            metadata = {"name": "x", field: name} if field == "namespace" else {field: name}
            answer = await api.send("POST", MAPS, {"metadata": metadata})
            assert answer.code in (400, 422), name
        assert (await api.send("GET", MAPS))["items"] == []

    play(story)


def test_paths_lead_nowhere_else(play: Play) -> None:
    async def story(api: Api) -> None:
        for path in (
            "/api/v1/namespaces/../nodes",
            "/api/v1/namespaces/default/../../nodes",
            f"{MAPS}/../secrets",
            "/apis/../api/v1/nodes",
            "//api/v1/nodes",
            "/api/v1/namespaces/default/configmaps/../../kube-system/configmaps",
        ):
            answer = await api.send("GET", path)
            assert answer.code in (301, 404, 405), path
            assert "items" not in answer.json, path

    play(story)


def event(**fields: Any) -> dict[str, Any]:
    involved = {"kind": "Pod", "namespace": "default", "name": "web"}
    body = {"metadata": {"name": "e"}, "involvedObject": involved, "reason": "Fine"}
    return {**body, "message": "so it is", "type": "Normal", **fields}


def test_signs_in_an_event_reach_nobody_raw(play: Play) -> None:
    sign = "\x1b[31mred\x07\r\nSet-Cookie: a=b"

    async def story(api: Api) -> None:
        made = await api.send("POST", EVENTS, event(message=sign))
        assert made.code == 201
        for accept in ("application/json", "application/json;as=Table;g=meta.k8s.io;v=v1"):
            shown = await api.send("GET", EVENTS, headers={"accept": accept})
            assert not any(byte in shown.raw for byte in (b"\x1b", b"\x07", b"\r\n"))
        yaml = await api.send("GET", f"{EVENTS}/e", headers={"accept": "application/yaml"})
        assert b"\x1b" not in yaml.raw

    play(story)


def test_signs_never_break_a_header(play: Play) -> None:
    async def story(api: Api) -> None:
        body = {"metadata": {"name": "x"}, "evil\r\nSet-Cookie: a=b\x1b": 1}
        answer = await api.send("POST", MAPS, body)
        assert answer.code == 201
        assert "unknown field" in answer.headers["Warning"]
        for name, value in answer.headers.items():
            assert (name + value).isprintable()

    play(story)
