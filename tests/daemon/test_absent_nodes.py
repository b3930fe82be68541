"""Which nodes are taken out of the cluster when a machine starts without them."""

import asyncio
import json
from types import SimpleNamespace

from sampan.daemon.absent_nodes import remove_absent_nodes


class FakeApi:
    def __init__(self, *names):
        self.names = list(names)

    async def list(self, _resource):
        found = ({"metadata": {"name": name, "uid": f"u-{name}"}} for name in self.names)
        return SimpleNamespace(items=tuple(json.dumps(it).encode() for it in found))

    async def delete(self, _resource, name, *, uid):
        assert uid == f"u-{name}"
        self.names.remove(name)


def left(names, present, prefix):
    api = FakeApi(*names)
    asyncio.run(remove_absent_nodes(api, present, prefix))
    return api.names


def test_those_that_the_machine_no_longer_has():
    assert left(["node-1", "node-2", "worker"], ["node-1"], "") == ["node-1", "worker"]


def test_those_of_other_machines_stay():
    names = ["east-node-1", "east-node-2", "west-node-2", "node-2"]
    assert left(names, ["east-node-1"], "east-") == ["east-node-1", "west-node-2", "node-2"]
    assert "east-node-2" in left(names, ["node-1"], "")
