"""When a pod's images are pulled, and as whom."""

import asyncio
import base64
import json

import pytest

from sampan.node.image_credentials import credentials_for


async def moment(seconds=0.01):
    await asyncio.sleep(seconds)


def config(**servers: str) -> bytes:
    auths = {
        server.replace("_", "."): {"auth": base64.b64encode(pair.encode()).decode()}
        for server, pair in servers.items()
    }
    return json.dumps({"auths": auths}).encode()


def test_an_image_that_is_not_here_is_pulled(on_node):
    async def story(node):
        node.engine.registry.add("team/app:1")
        node.create(containers=[{"name": "main", "image": "team/app:1"}])
        await moment()
        assert node.status()["phase"] == "Running"
        assert node.engine.pulls == [("team/app:1", ())]

    on_node(story)


@pytest.mark.parametrize(
    ("policy", "is_from_registry", "pulls"),
    [("Always", True, 1), ("Always", False, 0), ("IfNotPresent", True, 0), ("Never", True, 0)],
)
def test_the_policy_says_whether_one_that_is_here_is_pulled(
    on_node, policy, is_from_registry, pulls
):
    async def story(node):
        node.engine.registry.add("app")
        node.engine.load("app", is_from_registry=is_from_registry)
        node.create(containers=[{"name": "main", "image": "app", "imagePullPolicy": policy}])
        await moment()
        assert node.status()["phase"] == "Running"
        assert len(node.engine.pulls) == pulls

    on_node(story)


def test_never_does_not_pull(on_node):
    async def story(node):
        node.engine.registry.add("app")
        node.create(containers=[{"name": "main", "image": "app", "imagePullPolicy": "Never"}])
        await moment()
        assert node.container()["state"]["waiting"]["reason"] == "ErrImageNeverPull"
        assert node.engine.pulls == []

    on_node(story)


def test_the_entries_for_an_image_the_closest_first():
    secrets = {
        "a": {".dockerconfigjson": config(host_example="a:1", other_example="b:2")},
        "b": {".dockercfg": json.dumps({"*.example": {"username": "c", "password": "3"}}).encode()},
        "broken": {".dockerconfigjson": b"{"},
    }
    found = credentials_for("host.example/app", ["a", "b", "broken", "gone"], secrets)
    assert [(it.user, it.password) for it in found] == [("a", "1"), ("c", "3")]
    assert credentials_for("host.example:5000/app", ["a"], secrets) == ()
    assert credentials_for("app", ["a", "b"], secrets) == ()


def test_a_path_limits_whom_an_entry_is_told():
    secrets = {
        "a": {
            ".dockerconfigjson": json.dumps(
                {"auths": {"host.example/team": {"auth": base64.b64encode(b"a:1").decode()}}}
            ).encode()
        }
    }
    assert credentials_for("host.example/team/app", ["a"], secrets)
    assert not credentials_for("host.example/teams/app", ["a"], secrets)
