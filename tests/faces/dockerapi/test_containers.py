import asyncio
import base64
import json
import stat

import pytest
from pretended_engine import Containers, Engine, Images, ask, container, image

from sampan.engine.containers.configuration import (
    Configuration,
    EndpointSettings,
    HostConfiguration,
    PortBinding,
)
from sampan.engine.containers.contract import ContainerState, Health
from sampan.faces.dockerapi import container_state, times
from sampan.faces.dockerapi.container_files import go_mode

ENDPOINT = EndpointSettings(ip_address="172.17.0.2", aliases=("a",), dns_names=("one", "1" * 12))
ONE = container(
    1,
    "one",
    configuration=Configuration(image="app", labels={"tier": "web"}),
    networks={"bridge": ENDPOINT},
    ports={"80/tcp": (PortBinding(host_address="127.0.0.1", host_port="8080"),), "9/udp": None},
)
TWO = container(2, "two", state=ContainerState(phase="exited", exit_code=3, started=5, finished=6))


def names(*query):
    engine = Engine(Containers(ONE, TWO), Images(image("a", "app:latest")))
    status, _, body = asyncio.run(ask(engine, "GET", "/containers/json", *query))
    assert status == 200, body
    return [entry["Names"][0] for entry in json.loads(body)]


def test_a_list_shows_what_runs_or_everything_the_newest_first():
    assert names() == ["/one"]
    assert names(("all", "1")) == ["/two", "/one"]
    assert names(("limit", "1")) == ["/two"]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"name": ["^/on"]}, ["/one"]),
        ({"name": {"tw": True}}, ["/two"]),
        ({"id": ["1" * 8]}, ["/one"]),
        ({"label": ["tier=web"]}, ["/one"]),
        ({"label": ["tier=db"]}, []),
        ({"status": ["exited"]}, ["/two"]),
        ({"exited": ["3"]}, ["/two"]),
        ({"exited": ["4"]}, []),
        ({"network": ["bridge"]}, ["/one"]),
        ({"publish": ["8080"]}, ["/one"]),
        ({"expose": ["70-90/tcp"]}, ["/one"]),
        ({"ancestor": ["app"]}, ["/two", "/one"]),
        ({"ancestor": ["other"]}, []),
        ({"before": ["two"]}, ["/one"]),
        ({"since": ["one"]}, ["/two"]),
        ({"health": ["none"]}, ["/two", "/one"]),
    ],
)
def test_filters(filters, found):
    assert names(("all", "1"), ("filters", json.dumps(filters))) == found


@pytest.mark.parametrize(
    "filters",
    ['{"nothing":["x"]}', '{"status":["odd"]}', '{"publish":["x"]}', "{", "[]", '{"a":1}'],
)
def test_filters_that_are_none(filters):
    engine = Engine(Containers(ONE))
    status, _, _ = asyncio.run(ask(engine, "GET", "/containers/json", ("filters", filters)))
    assert status == 400


def summary(version):
    engine = Engine(Containers(ONE), Images(image("a", "app:latest")))
    _, _, body = asyncio.run(ask(engine, "GET", f"/v{version}/containers/json"))
    return json.loads(body)[0]


def test_a_line_of_a_list():
    line = summary("1.52")
    assert line["Command"] == "sh -c 'sleep 1'"
    assert line["Image"] == "app"
    assert line["Ports"] == [
        {"IP": "127.0.0.1", "PrivatePort": 80, "Type": "tcp", "PublicPort": 8080},
        {"PrivatePort": 9, "Type": "udp"},
    ]
    assert line["State"] == "running"
    assert line["NetworkSettings"]["Networks"]["bridge"]["IPAddress"] == "172.17.0.2"


def inspected(version):
    _, _, body = asyncio.run(
        ask(Engine(Containers(ONE)), "GET", f"/v{version}/containers/one/json")
    )
    return json.loads(body)


def test_an_inspection_has_what_its_version_has():
    old, new = inspected("1.41"), inspected("1.52")
    assert old["NetworkSettings"]["IPAddress"] == "172.17.0.2"
    assert "IPAddress" not in new["NetworkSettings"]
    assert old["HostConfig"]["KernelMemory"] == 0
    assert "KernelMemory" not in new["HostConfig"]
    bridges = [tree["NetworkSettings"]["Networks"]["bridge"] for tree in (old, new)]
    assert bridges[0]["Aliases"] == ["a", "1" * 12]
    assert bridges[1]["Aliases"] == ["a"]
    assert "DNSNames" not in bridges[0]
    assert new["Name"] == "/one"
    assert new["State"]["FinishedAt"] == "0001-01-01T00:00:00Z"


def test_creation_hands_documents_over_and_drops_what_a_version_has_no_more():
    engine = Engine()
    body = {
        "Image": "app",
        "Cmd": "one",
        "Env": None,
        "MacAddress": "02:00:00:00:00:01",
        "HostConfig": {"Memory": 5, "KernelMemory": 7},
        "NetworkingConfig": {"EndpointsConfig": {"n": None}},
    }
    status, _, told = asyncio.run(
        ask(engine, "POST", "/containers/create", ("name", "/x"), ("platform", "linux/arm64"),
            body=json.dumps(body).encode())
    )  # fmt: skip
    assert status == 201
    assert json.loads(told) == {"Id": "f" * 64, "Warnings": ["mind the gap"]}
    name, configuration, host, networking, platform = engine.containers.created[0]
    assert (name, platform) == ("x", "linux/arm64")
    assert configuration == Configuration(image="app", command=("one",))
    assert host == HostConfiguration(memory=5)
    assert networking.endpoints == {"n": None}


def test_prune_takes_what_is_old_and_has_no_kept_label():
    engine = Engine(Containers(ONE, TWO))
    filters = json.dumps({"label!": ["tier"], "until": ["3"]})
    _, _, body = asyncio.run(ask(engine, "POST", "/containers/prune", ("filters", filters)))
    assert json.loads(body) == {"ContainersDeleted": ["2" * 64], "SpaceReclaimed": 12}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (ContainerState(), "Created"),
        (ContainerState(phase="running", started=1), "Up 2 hours"),
        (ContainerState(phase="paused", started=1), "Up 2 hours (Paused)"),
        (ContainerState(phase="running", started=1, health=Health()),
         "Up 2 hours (health: starting)"),
        (ContainerState(phase="running", started=1, health=Health(status="healthy")),
         "Up 2 hours (healthy)"),
        (ContainerState(phase="restarting", started=1, finished=1, exit_code=1),
         "Restarting (1) 2 hours ago"),
        (ContainerState(phase="exited", started=1, finished=1, exit_code=137),
         "Exited (137) 2 hours ago"),
        (ContainerState(phase="removing"), "Removal In Progress"),
        (ContainerState(phase="dead"), "Dead"),
    ],
)  # fmt: skip
def test_the_sentence_of_a_state(state, words):
    assert container_state.sentence(state, 7201 * times.SECOND) == words


def test_modes_are_in_the_bits_that_clients_decode():
    assert go_mode(stat.S_IFREG | 0o644) == 0o644
    assert go_mode(stat.S_IFDIR | stat.S_ISVTX | 0o777) == 1 << 31 | 1 << 20 | 0o777
    assert go_mode(stat.S_IFCHR | 0o600) == 1 << 26 | 1 << 21 | 0o600


def test_credentials_come_in_either_alphabet():
    images = Images()
    told = base64.urlsafe_b64encode(b'{"username":"u","password":"p?>"}').decode().rstrip("=")
    asyncio.run(
        ask(Engine(images=images), "POST", "/images/create", ("fromImage", "r/x"), ("tag", "1"),
            headers={"x-registry-auth": told})
    )  # fmt: skip
    reference, _, credentials, every = images.pulled[0]
    assert (reference, every) == ("r/x:1", False)
    assert (credentials.user, credentials.password) == ("u", "p?>")
