"""Whatever is asked of whatever is published: no failure of the server's own, always a Status."""

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from tests.fuzz.drawn_requests import request_of, seeds
from tests.fuzz.drawn_trees import randoms
from tests.fuzz.fuzzed_server import FuzzedServer


@pytest.fixture(scope="module")
def operations(server: FuzzedServer) -> list[dict[str, Any]]:
    for path, body in seeds():
        assert server.send("POST", path, body).code in (201, 409), (path, body)
    found = server.operations()
    assert len(found) > 500
    return found


@settings.get_profile("fuzz")
@given(randoms)
def test_no_request_is_too_much(
    server: FuzzedServer, operations: list[dict[str, Any]], random: Random
) -> None:
    server.ask(request_of(random.choice(operations), random)).check()
