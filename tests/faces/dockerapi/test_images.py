import asyncio
import json

import pytest
from pretended_engine import Containers, Engine, Images, ask, container, image

from sampan.engine.images.contract import LayerDetail

APP = image("a", "app:latest", "app:1", created="2026-01-02T00:00:00Z")
LOST = image("b", created="2026-01-03T00:00:00Z")


def listed(version, *query):
    shared = (LayerDetail(diff_id="d", chain="common", size=7),)
    images = Images(image("a", "app:latest", layers=shared), image("c", "c:1", layers=shared), LOST)
    containers = Containers(container(1, "one"))
    path = f"/v{version}/images/json"
    _, _, body = asyncio.run(ask(Engine(containers, images), "GET", path, *query))
    return json.loads(body)


def test_a_list_has_what_its_version_has():
    old, new = listed("1.41")[1], listed("1.52")[1]
    assert old["VirtualSize"] == old["Size"]
    assert "VirtualSize" not in new
    assert (old["Containers"], new["Containers"]) == (-1, 1)
    assert "Descriptor" in new
    assert "Descriptor" not in old


def test_images_without_a_name_had_placeholders_once():
    assert listed("1.42")[0]["RepoTags"] == ["<none>:<none>"]
    assert listed("1.43")[0]["RepoTags"] == []


def test_shared_sizes_and_manifests_are_told_to_who_asks():
    assert listed("1.52", ("shared-size", "1"))[1]["SharedSize"] == 7
    assert listed("1.52")[1]["SharedSize"] == -1
    (manifest,) = listed("1.47", ("manifests", "true"))[1]["Manifests"]
    assert manifest["ImageData"]["Platform"] == {"architecture": "amd64", "os": "linux"}


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, ["b", "a"]),
        ({"dangling": ["true"]}, ["b"]),
        ({"dangling": ["false"]}, ["a"]),
        ({"reference": ["app:1"]}, ["a"]),
        ({"before": ["b" * 12]}, ["a"]),
        ({"since": ["app"]}, ["b"]),
        ({"until": ["2026-01-02T12:00:00"]}, ["a"]),
    ],
)
def test_filters(filters, found):
    query = ("filters", json.dumps(filters))
    _, _, body = asyncio.run(ask(Engine(images=Images(APP, LOST)), "GET", "/images/json", query))
    assert [one["Id"][7] for one in json.loads(body)] == found


def inspected(version):
    path = f"/v{version}/images/app/json"
    _, _, body = asyncio.run(ask(Engine(images=Images(APP)), "GET", path))
    return json.loads(body)


def test_an_inspection_has_what_its_version_has():
    assert inspected("1.44")["ContainerConfig"]["Cmd"] is None
    assert "ContainerConfig" not in inspected("1.45")
    assert inspected("1.49")["Config"]["Hostname"] == ""
    assert "Hostname" not in inspected("1.50")["Config"]
    assert inspected("1.51")["Config"]["Env"] is None
    newest = inspected("1.52")
    assert newest["Config"] == {"Cmd": ["sh"]}
    assert newest["RootFS"] == {"Type": "layers", "Layers": ["da"]}
    assert "Author" not in newest
