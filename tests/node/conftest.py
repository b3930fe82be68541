"""Pods and states for tests of the node, built from the JSON that the API would give."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from sampan.node.pod_state import Run
from sampan.node.pod_view import Pod

PodMaker = Callable[..., Pod]


@pytest.fixture
def make_pod() -> PodMaker:
    """`make_pod({...spec...}, metadata={...}, status={...})`; one container `main` by default."""

    def build(
        spec: dict[str, Any] | None = None,
        *,
        metadata: dict[str, Any] | None = None,
        status: dict[str, Any] | None = None,
    ) -> Pod:
        whole = {
            "metadata": {"name": "web", "namespace": "shop", "uid": "u-1", **(metadata or {})},
            "spec": {
                "nodeName": "node-1",
                "containers": [{"name": "main", "image": "hello"}],
                **(spec or {}),
            },
            "status": status or {},
        }
        return msgspec.json.decode(json.dumps(whole), type=Pod)

    return build


@pytest.fixture
def make_run() -> Callable[..., Run]:
    """A run of `main` that started at 900; `ended_at=` makes it an ended one."""

    def build(container: str = "main", ended_at: float | None = None, **values: Any) -> Run:
        given = {"identifier": f"{container}-0", "started": 900.0, **values}
        if ended_at is not None:
            given |= {"phase": "exited", "finished": ended_at}
        return Run(container=container, **given)

    return build
