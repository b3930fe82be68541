"""Lists in pieces."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.conformance.requests import DEFAULT, names, read
from tests.control.api.conftest import Api

from sampan.control.api.cache import resource_cache

TEMPLATES = f"{DEFAULT}/podtemplates"
COUNT = 40
TEMPLATE = {"spec": {"containers": [{"name": "main", "image": "hello:1"}]}}
Play = Callable[..., None]


async def fill(api: Api) -> None:
    for number in range(COUNT):
        metadata = {"name": f"template-{number:04}"}
        await api.create(TEMPLATES, {"metadata": metadata, "template": TEMPLATE})


def test_pieces_make_up_the_list(play: Play) -> None:
    async def story(api: Api) -> None:
        await fill(api)
        for limit in (1, 7, 17, 40, 100):
            found: list[str] = []
            parameters: dict[str, Any] = {}
            version = ""
            while True:
                piece = await read(api, TEMPLATES, limit=limit, **parameters)
                version = version or piece["metadata"]["resourceVersion"]
                assert piece["metadata"]["resourceVersion"] == version
                assert len(piece["items"]) <= limit
                found += names(piece)
                token = piece["metadata"].get("continue", "")
                left = piece["metadata"].get("remainingItemCount", 0)
                assert left == COUNT - len(found)
                if not token:
                    break
                parameters = {"continue": token}
            assert found == [f"template-{number:04}" for number in range(COUNT)]
        whole = await read(api, TEMPLATES)
        assert names(whole) == found

    play(story)


def test_a_list_goes_on_inconsistently_after_compaction(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource_cache, "WINDOW_EVENTS", 3)

    async def story(api: Api) -> None:
        await fill(api)
        first = await read(api, TEMPLATES, limit=10)
        for number in range(5):
            metadata = {"name": f"another-{number}"}
            await api.create(TEMPLATES, {"metadata": metadata, "template": TEMPLATE})
        token = first["metadata"]["continue"]
        expired = await api.send("GET", TEMPLATES, **{"limit": 10, "continue": token})
        assert (expired.code, expired["reason"]) == (410, "Expired")
        fresh = expired["metadata"]["continue"]
        second = await read(api, TEMPLATES, **{"limit": 10, "continue": fresh})
        assert names(second) == [f"template-{number:04}" for number in range(10, 20)]
        assert second["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]
        token = second["metadata"]["continue"]
        rest = await read(api, TEMPLATES, **{"continue": token})
        assert names(rest) == [f"template-{number:04}" for number in range(20, COUNT)]
        assert rest["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]

    play(story)
