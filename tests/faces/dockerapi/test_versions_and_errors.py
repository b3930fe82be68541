import asyncio
import json

import pytest
from pretended_engine import Containers, Engine, ask, container


def asked(*arguments, **options):
    engine = options.pop("engine", None) or Engine(Containers(container(1, "one")))
    return asyncio.run(ask(engine, *arguments, **options))


@pytest.mark.parametrize("path", ["/_ping", "/v1.24/_ping", "/v1.52/_ping"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_ping(path, method):
    status, headers, body = asked(method, path)
    assert (status, body) == (200, b"OK")
    assert headers["Api-Version"] == "1.52"
    assert headers["Ostype"] == "linux"
    assert headers["Docker-Experimental"] == "false"
    assert headers["Server"] == "Docker/9.8.7 (linux)"
    assert headers["Swarm"] == "inactive"


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("1.23", "client version 1.23 is too old. Minimum supported API version is 1.24, "
                 "please upgrade your client to a newer version"),
        ("1.53", "client version 1.53 is too new. Maximum supported API version is 1.52"),
    ],
)  # fmt: skip
def test_a_version_that_is_not_spoken(version, told):
    status, headers, body = asked("GET", f"/v{version}/info")
    assert (status, json.loads(body)) == (400, {"message": told})
    assert headers["Api-Version"] == "1.52"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nothing"), ("PATCH", "/info"), ("GET", "/v1/info"), ("GET", "/")]
)
def test_what_is_no_path_is_not_found(method, path):
    status, _, body = asked(method, path)
    assert (status, json.loads(body)) == (404, {"message": "page not found"})


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/containers/x/json", 404, "No such container: x"),
        ("POST", "/containers/x/wait", 404, "No such container: x"),
        ("GET", "/images/a/b:c/json", 404, "No such image: a/b:c"),
        ("GET", "/exec/x/json", 404, "No such exec instance: x"),
        ("POST", "/containers/create", 400,
         "config cannot be empty in order to create a container"),
        ("GET", "/nodes", 503, "This node is not a swarm manager. Use \"docker swarm init\" or "
         "\"docker swarm join\" to connect this node to swarm and try again."),
        ("POST", "/swarm/init", 501,
         "this engine has no swarm mode: clusters are Kubernetes' here"),
    ],
)  # fmt: skip
def test_errors_have_the_shape_that_clients_read(method, path, status, message):
    found, headers, body = asked(method, path)
    assert (found, json.loads(body)) == (status, {"message": message})
    assert headers["Content-Type"] == "application/json"


def test_what_is_so_already_is_told_without_a_body():
    assert asked("POST", "/containers/one/start")[::2] == (304, b"")


def test_no_plugins():
    assert json.loads(asked("GET", "/plugins")[2]) == []


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b"{", "application/json", "invalid JSON"),
        (b"[]", "application/json", "an object is expected"),
        (b"{}", "text/plain", "must be 'application/json'"),
        (b'{"Cmd": 1}', "application/json", "invalid JSON"),
    ],
)
def test_a_body_that_is_not_understood(body, kind, message):
    headers = {"content-type": kind}
    status, _, told = asked("POST", "/containers/create", body=body, headers=headers)
    assert status == 400
    assert message in json.loads(told)["message"]
